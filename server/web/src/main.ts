import { mount } from 'svelte';
import App from './app/App.svelte';
import { startTheme } from './app/theme.svelte';
import './app/app.css';
import { defineHexView } from './hex_view/hex_view';

defineHexView();
startTheme();
mount(App, { target: document.getElementById('app')! });
