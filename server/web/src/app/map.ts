/** The track and what draws it, fetched as one: it compresses better than two, and the legend needs both files' chunk anyway. */

export { drawMap, onColours, readPalette } from './map_drawing';
export { default as MapTrack } from './MapTrack.svelte';
