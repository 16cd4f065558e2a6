/** One file on screen: its version, its view, and what the panels show of it. */

import { tick } from 'svelte';
import { type Api, type FileInfo, ReadFailure } from '../core/api';
import { type Bookmark, loadBookmarks, saveBookmarks, withBookmark, withoutBookmark } from '../core/bookmarks';
import { evaluateGoto, type GotoResult } from '../core/expression';
import { type ByteOrder, inspectedBytes } from '../core/inspector';
import { PageSource, type SourceHealth } from '../core/page_source';
import { addressOfPath } from '../core/paths';
import { clamp, fewestColumns, mostColumns } from '../core/rows';
import { isTextEncoding, type TextEncoding } from '../core/text_encodings';
import { formatViewLink, groupSizes, type GroupSize, parseViewLink, type Span, type ViewLink } from '../core/view_link';
import type { HexView } from '../hex_view/hex_view';
import { navigation } from './navigation.svelte';
import { readSetting, storage, writeSetting } from './settings';

/** Milliseconds between questions whether the file is unchanged. The daemon itself answers at most a second late. */
const probeInterval = 5000;
/** Browsers limit how often an address may change (Safari: 100 times in 30 s). */
const linkDelay = 350;
const openRetry = 2000;

export type Opening =
  { readonly kind: 'opening' } | { readonly kind: 'open' } | { readonly kind: 'failed'; readonly failure: ReadFailure };

function storedColumns(): number {
  const stored = Number(readSetting('columns'));
  const narrow = window.innerWidth < 600;
  return Number.isInteger(stored) && stored >= fewestColumns && stored <= mostColumns ? stored : narrow ? 8 : 16;
}

export class Viewer {
  opening = $state.raw<Opening>({ kind: 'opening' });
  info = $state.raw<FileInfo | undefined>();
  source = $state.raw<PageSource | undefined>();
  health = $state.raw<SourceHealth>({ kind: 'ok' });
  busy = $state(false);

  cursor = $state(0);
  selection = $state.raw<Span>({ offset: 0, length: 0 });
  selecting = $state(false);

  columns = $state(storedColumns());
  group = $state<GroupSize>(groupSizes.find((size) => size === Number(readSetting('group'))) ?? 4);
  encoding = $state<TextEncoding>('ascii');
  order = $state<ByteOrder>(readSetting('order') === 'big' ? 'big' : 'little');

  bookmarks = $state.raw<readonly Bookmark[]>([]);
  bookmarksLast = $state(true);
  /** The bytes from the cursor on that the inspector reads; undefined while they are being fetched. */
  inspected = $state.raw<Uint8Array | undefined>();

  readonly size = $derived(this.source?.size ?? 0);

  #element: HexView | undefined;
  #linkTimer: ReturnType<typeof setTimeout> | undefined;
  #openTimer: ReturnType<typeof setTimeout> | undefined;
  #probeTimer: ReturnType<typeof setInterval> | undefined;
  readonly #ended = new AbortController();

  constructor(
    readonly api: Api,
    readonly path: string,
  ) {
    const stored = readSetting('encoding') ?? '';
    if (isTextEncoding(stored)) this.encoding = stored;
    this.bookmarks = loadBookmarks(storage(), path);
    this.#adopt(parseViewLink(navigation.fragment));
  }

  /** Begins, with the grid's element in the document. Returns how to end. */
  start(element: HexView): () => void {
    this.#element = element;
    const moved = (): void => this.#moved();
    const scrolled = (): void => this.#saveLink();
    element.addEventListener('cursorchange', moved);
    element.addEventListener('viewchange', scrolled);
    const look = (): void => {
      if (document.visibilityState === 'visible') void this.source?.probe();
    };
    this.#probeTimer = setInterval(look, probeInterval);
    document.addEventListener('visibilitychange', look);
    window.addEventListener('online', look);
    void this.open();
    return () => {
      this.#ended.abort();
      clearInterval(this.#probeTimer);
      clearTimeout(this.#linkTimer);
      clearTimeout(this.#openTimer);
      element.removeEventListener('cursorchange', moved);
      element.removeEventListener('viewchange', scrolled);
      document.removeEventListener('visibilitychange', look);
      window.removeEventListener('online', look);
      this.source?.dispose();
    };
  }

  /** Opens the file, or its present version in place of the one shown. The place is kept. */
  async open(): Promise<void> {
    clearTimeout(this.#openTimer);
    try {
      const info = await this.api.info(this.path, this.#ended.signal);
      if (this.#ended.signal.aborted) return;
      const first = this.source === undefined;
      this.source?.dispose();
      const source = new PageSource(this.api, { path: this.path, size: info.size, etag: info.etag });
      source.subscribe(() => this.#sourceChanged());
      this.info = info;
      this.source = source;
      this.health = source.health;
      this.opening = { kind: 'open' };
      const element = this.#element!;
      this.configure();
      element.source = source;
      if (first) {
        this.#show(parseViewLink(navigation.fragment));
        // Once it is no longer hidden.
        await tick();
        if (document.activeElement === document.body) element.focus({ preventScroll: true });
      }
      this.#moved();
    } catch (error) {
      if (this.#ended.signal.aborted || !(error instanceof ReadFailure)) return;
      if (this.source) {
        // Reloading failed: what is shown stays, the banner says why.
        this.health = error.transient ? this.health : { kind: 'gone', message: error.message };
      } else {
        this.opening = { kind: 'failed', failure: error };
      }
      if (error.transient) this.#openTimer = setTimeout(() => void this.open(), error.retryAfter ?? openRetry);
    }
  }

  /** Hands the settings to the grid. */
  configure(): void {
    const element = this.#element;
    if (!element) return;
    element.columns = this.columns;
    element.group = this.group;
    element.encoding = this.encoding;
    element.marks = this.bookmarks;
  }

  setColumns(columns: number): void {
    this.columns = clamp(columns, fewestColumns, mostColumns);
    writeSetting('columns', String(this.columns));
    this.#settingChanged();
  }

  setGroup(group: GroupSize): void {
    this.group = group;
    writeSetting('group', String(group));
    this.#settingChanged();
  }

  setEncoding(encoding: TextEncoding): void {
    this.encoding = encoding;
    writeSetting('encoding', encoding);
    this.#settingChanged();
  }

  setOrder(order: ByteOrder): void {
    this.order = order;
    writeSetting('order', order);
    this.#saveLink();
  }

  evaluate(text: string): GotoResult {
    return evaluateGoto(text, { cursor: this.cursor, size: this.size });
  }

  /** Goes to a place from which Back leads here again. */
  jump(place: Span): void {
    const element = this.#element;
    if (!element) return;
    this.#writeLink();
    element.selectSpan(place);
    clearTimeout(this.#linkTimer);
    navigation.push(addressOfPath(this.path) + formatViewLink(this.link()));
  }

  /** Back, Forward, or a fragment typed into the address bar. */
  arrive(): void {
    clearTimeout(this.#linkTimer);
    const link = parseViewLink(navigation.fragment);
    this.#adopt(link);
    this.configure();
    this.#show(link);
  }

  focus(): void {
    this.#element?.focus();
  }

  highlight(span: Span | undefined): void {
    if (this.#element) this.#element.highlight = span;
  }

  addBookmark(name: string, span: Span): void {
    this.#setBookmarks(withBookmark(this.bookmarks, { ...span, name }));
  }

  removeBookmark(bookmark: Bookmark): void {
    this.#setBookmarks(withoutBookmark(this.bookmarks, bookmark));
  }

  link(): ViewLink {
    return {
      offset: this.cursor,
      top: this.#element?.top ?? 0,
      ...(this.selecting && { select: this.selection }),
      columns: this.columns,
      group: this.group,
      encoding: this.encoding,
      order: this.order,
    };
  }

  #setBookmarks(bookmarks: readonly Bookmark[]): void {
    this.bookmarks = bookmarks;
    this.bookmarksLast = saveBookmarks(storage(), this.path, bookmarks);
    this.configure();
  }

  #adopt(link: ViewLink): void {
    if (link.columns !== undefined) this.columns = link.columns;
    if (link.group !== undefined) this.group = link.group;
    if (link.encoding !== undefined) this.encoding = link.encoding;
    if (link.order !== undefined) this.order = link.order;
  }

  #show(link: ViewLink): void {
    const element = this.#element;
    if (!element) return;
    const cursor = link.offset ?? link.select?.offset ?? link.top ?? 0;
    if (link.select) {
      const { offset, length } = link.select;
      const last = offset + length - 1;
      if (cursor === offset) element.select(offset, last);
      else element.select(last, offset);
    } else {
      element.select(cursor);
    }
    if (link.top !== undefined) element.scrollToOffset(link.top);
  }

  #settingChanged(): void {
    this.configure();
    this.#saveLink();
  }

  #moved(): void {
    const element = this.#element!;
    this.cursor = element.cursor;
    this.selection = element.selection;
    this.selecting = element.anchor !== undefined;
    this.#inspect();
    this.#saveLink();
  }

  #sourceChanged(): void {
    const source = this.source;
    if (!source) return;
    this.health = source.health;
    this.busy = source.busy;
    this.#inspect();
  }

  #inspect(): void {
    const source = this.source;
    if (!source) return;
    const window = new Int16Array(Math.min(inspectedBytes, source.size - this.cursor));
    source.peek(this.cursor, window);
    if (window.includes(-1)) {
      this.inspected = undefined;
    } else {
      const same = this.inspected?.length === window.length && window.every((byte, at) => byte === this.inspected![at]);
      if (!same) this.inspected = Uint8Array.from(window);
    }
  }

  #saveLink(): void {
    clearTimeout(this.#linkTimer);
    this.#linkTimer = setTimeout(() => this.#writeLink(), linkDelay);
  }

  #writeLink(): void {
    if (this.opening.kind === 'open') navigation.replace(addressOfPath(this.path) + formatViewLink(this.link()));
  }
}
