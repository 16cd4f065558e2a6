/** The address bar as state. Entries are numbered in history.state, which tells whether there is something to go back to. */

interface Entry {
  readonly index: number;
}

function currentIndex(): number {
  const state = history.state as Partial<Entry> | null;
  return typeof state?.index === 'number' ? state.index : 0;
}

class Navigation {
  pathname = $state(location.pathname);
  /** Changes whenever the fragment was changed from outside: Back, Forward, or typed. */
  arrival = $state(0);
  #index = $state(currentIndex());
  #last = $state(currentIndex());

  readonly canGoBack = $derived(this.#index > 0);
  readonly canGoForward = $derived(this.#index < this.#last);

  constructor() {
    history.replaceState({ index: this.#index } satisfies Entry, '');
    window.addEventListener('popstate', () => this.#arrive());
  }

  get fragment(): string {
    return location.hash;
  }

  /** A new entry, with Back leading to the present one. */
  push(address: string): void {
    this.#index += 1;
    this.#last = this.#index;
    history.pushState({ index: this.#index } satisfies Entry, '', address);
    this.pathname = location.pathname;
  }

  /** The present entry under another address; nobody is told. */
  replace(address: string): void {
    history.replaceState({ index: this.#index } satisfies Entry, '', address);
    this.pathname = location.pathname;
  }

  go(address: string): void {
    this.push(address);
    this.arrival += 1;
  }

  back(): void {
    if (this.canGoBack) history.back();
  }

  forward(): void {
    if (this.canGoForward) history.forward();
  }

  #arrive(): void {
    const state = history.state as Partial<Entry> | null;
    if (typeof state?.index === 'number') {
      this.#index = state.index;
      this.#last = Math.max(this.#last, state.index);
    } else {
      // A fragment typed into the address bar makes an entry without our state.
      this.#index += 1;
      this.#last = this.#index;
      history.replaceState({ index: this.#index } satisfies Entry, '');
    }
    this.pathname = location.pathname;
    this.arrival += 1;
  }
}

export const navigation = new Navigation();

/** For links within the program: a plain click stays in the page, everything else is the browser's. */
export function followLink(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey)
    return;
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (!link || link.origin !== location.origin || link.hasAttribute('download') || link.target !== '') return;
  if (link.pathname !== '/' && !link.pathname.startsWith('/view/')) return;
  event.preventDefault();
  navigation.go(link.pathname + link.hash);
}
