/** One file on screen: its version, its view, and what the panels show of it. */

import { tick } from 'svelte';
import { type Api, type FileInfo, ReadFailure } from '../core/api';
import { type Bookmark, loadBookmarks, saveBookmarks, withBookmark, withoutBookmark } from '../core/bookmarks';
import { type ByteOrder, inspectedBytes } from '../core/inspector';
import { pageSize, PageSource, type SourceHealth } from '../core/page_source';
import { addressOfPath } from '../core/paths';
import { clamp, fewestColumns, mostColumns, quotient } from '../core/rows';
import { isTextEncoding, type TextEncoding } from '../core/text_encodings';
import { formatViewLink, groupSizes, type GroupSize, parseViewLink, type Span, type ViewLink } from '../core/view_link';
import type { HexView } from '../hex_view/hex_view';
import type { Insight } from './insight.svelte';
import { navigation } from './navigation.svelte';
import { Part } from './part.svelte';
import { readSetting, storage, writeSetting } from './settings';

/** Milliseconds between questions whether the file is unchanged. The daemon itself answers at most a second late. */
const probeInterval = 5000;
/** Browsers limit how often an address may change (Safari: 100 times in 30 s). */
const linkDelay = 350;
const openRetry = 2000;
/** How long the present version's first pages are waited for while the older one is still on screen. */
const longestPriming = 1500;

export const followTitle = 'Follow: show the present version, and stay at its end (f)';

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

  /** Long holes are shown as a row each. */
  folded = $state(false);
  /** What folds them, which comes when it is first wanted. */
  readonly folding = new Part(() => import('../hex_view/folding'));
  /** Grows whenever other rows are shown of the file than before. */
  #layout = $state(0);

  /** What is searched for, as the address tells it. */
  search = $state<string | undefined>();
  /** The bytes in view. */
  view = $state.raw<readonly Span[]>([]);

  bookmarks = $state.raw<readonly Bookmark[]>([]);
  bookmarksLast = $state(true);
  /** The bytes from `inspectedAt` on that the inspector reads; undefined while they are being fetched. */
  inspected = $state.raw<Uint8Array | undefined>();
  /** The byte at the cursor, if it is here. */
  cursorByte = $state<number | undefined>();

  /** Map, extents, watching: comes when the file is open. */
  insight = $state.raw<Insight | undefined>();
  /** What is known of a change beyond that there was one. */
  news = $state('');
  /** Where the address leads, if the file ends before; until the cursor leaves the last byte, which is shown in its place. */
  beyond = $state<number | undefined>();
  /** Why the present version could not take the place of the one shown. */
  refusal = $state('');
  /** The present version is shown whenever there is one; at the end of the file the view stays at the end. */
  follow = $state(false);

  readonly size = $derived(this.source?.size ?? 0);
  /** What is selected is read from its first byte on, wherever in it the cursor is; without a selection that is the cursor. */
  readonly inspectedAt = $derived(this.selection.offset);

  #element: HexView | undefined;
  #linkTimer: ReturnType<typeof setTimeout> | undefined;
  #openTimer: ReturnType<typeof setTimeout> | undefined;
  #probeTimer: ReturnType<typeof setInterval> | undefined;
  readonly #ended = new AbortController();
  /** Offsets in holes that are not folded: the same set for the folding, once it is here. */
  // eslint-disable-next-line svelte/prefer-svelte-reactivity -- nothing is drawn of it
  readonly #unfolded = new Set<number>();
  /** Pressed before there was an insight to ask. */
  #sought: 1 | -1 | undefined;

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
    const scrolled = (): void => {
      this.#look();
      this.#saveLink();
    };
    element.addEventListener('cursorchange', moved);
    element.addEventListener('viewchange', scrolled);
    const laidOut = (): void => {
      ++this.#layout;
      scrolled();
    };
    element.addEventListener('layoutchange', laidOut);
    const sought = (event: Event): void => {
      this.seekData(event instanceof CustomEvent && event.detail === -1 ? -1 : 1);
    };
    element.addEventListener('seekdata', sought);
    const look = (): void => {
      if (document.visibilityState === 'visible') void this.source?.probe();
    };
    this.#probeTimer = setInterval(() => {
      if (this.insight?.watching !== true) look();
    }, probeInterval);
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
      element.removeEventListener('layoutchange', laidOut);
      element.removeEventListener('seekdata', sought);
      document.removeEventListener('visibilitychange', look);
      window.removeEventListener('online', look);
      this.source?.dispose();
    };
  }

  /** Opens the file, or its present version in place of the one shown. The place is kept. */
  async open(): Promise<void> {
    clearTimeout(this.#openTimer);
    this.insight?.forget();
    try {
      const info = await this.api.info(this.path, this.#ended.signal);
      if (this.#gone()) return;
      const before = this.source;
      const first = before === undefined;
      const version = { path: this.path, size: info.size, etag: info.etag };
      const source = new PageSource(this.api, version, before?.bequeath());
      source.subscribe(() => this.#sourceChanged());
      if (before) await this.#prime(source);
      if (this.#gone() || this.source !== before) {
        source.dispose();
        return;
      }
      const atEnd = this.follow && this.#element!.atEnd;
      before?.dispose();
      this.news = this.refusal = '';
      this.beyond = undefined;
      this.info = info;
      this.source = source;
      this.health = source.health;
      this.opening = { kind: 'open' };
      const element = this.#element!;
      this.configure();
      element.source = source;
      if (atEnd) element.scrollToEnd();
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
        // What is shown stays, and the banner says why: no longer the present version, or nobody would have opened it anew.
        if (error.kind === 'gone' || this.source.health.kind === 'gone') this.source.outdate('gone', error.message);
        else this.source.outdate('changed', 'The file has changed');
        this.refusal = error.kind === 'gone' ? '' : `${error.message}${error.transient ? '; it is tried again' : ''}.`;
      } else {
        if (error.kind === 'gone' && (await this.api.isDirectory(this.path, this.#ended.signal))) {
          // Another path, which shows the list in place of this view.
          if (!this.#gone()) navigation.replace(addressOfPath(`${this.path}/`));
          return;
        }
        if (this.#gone()) return;
        this.opening = { kind: 'failed', failure: error };
      }
      if (error.transient) this.#openTimer = setTimeout(() => void this.open(), error.retryAfter ?? openRetry);
    }
  }

  #gone(): boolean {
    return this.#ended.signal.aborted;
  }

  /** Waits for the pages that the view will show, so that it does not go blank in between. Failures show later. */
  async #prime(source: PageSource): Promise<void> {
    const element = this.#element!;
    const rows = (element.wholeRows + 1) * this.columns;
    const top = clamp(this.follow && element.atEnd ? source.size : element.top, 0, Math.max(0, source.size - rows));
    const [first, last] = [top, top + rows - 1].map((at) => quotient(Math.min(at, source.size - 1), pageSize));
    const pages = first === last ? [first!] : [first!, last!];
    if (source.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, longestPriming);
      source.subscribe(() => {
        const waiting = pages.some((page) => source.state(page).kind === 'loading');
        if (waiting && source.health.kind === 'ok') return;
        clearTimeout(timer);
        resolve();
      });
      source.want(pages);
    });
  }

  /** Hands the settings to the grid. */
  configure(): void {
    const element = this.#element;
    if (!element) return;
    element.columns = this.columns;
    element.group = this.group;
    element.encoding = this.encoding;
    element.marks = this.bookmarks;
    void this.#fold(element);
    this.#look();
  }

  async #fold(element: HexView): Promise<void> {
    const part = this.folded ? await this.folding.get() : undefined;
    // What is wanted may be another thing by now.
    if (!this.folded) element.folding = undefined;
    else if (part) element.folding ??= new part.Folding(this.#unfolded);
    else this.setFolded(false);
  }

  setSearch(search: string | undefined): void {
    this.search = search;
    this.#saveLink();
  }

  showMatches(matches: readonly Span[]): void {
    if (this.#element) this.#element.hits = matches;
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

  /** Folds all holes that are long, or none. */
  setFolded(folded: boolean): void {
    this.folded = folded;
    this.#unfolded.clear();
    this.#settingChanged();
  }

  setOrder(order: ByteOrder): void {
    this.order = order;
    writeSetting('order', order);
    this.#saveLink();
  }

  /** Goes to a place from which Back leads here again; with `instead` to where it would have led before. */
  jump(place: Span, instead = false): void {
    const element = this.#element;
    if (!element) return;
    if (!instead) this.#writeLink();
    this.#uncover(place.offset);
    element.selectSpan(place);
    clearTimeout(this.#linkTimer);
    if (instead) this.#writeLink();
    else navigation.push(addressOfPath(this.path) + formatViewLink(this.link()));
  }

  /** Back, Forward, or a fragment typed into the address bar. */
  arrive(): void {
    clearTimeout(this.#linkTimer);
    const link = parseViewLink(navigation.fragment);
    this.#adopt(link);
    this.configure();
    this.#show(link);
  }

  /** Shows a place without moving the cursor or the selection. */
  scrollTo(offset: number): void {
    this.#element?.scrollToOffset(offset);
  }

  /** Where a search for something from here begins: at the cursor if it is in view, or else at the top. */
  get standing(): number {
    const element = this.#element;
    if (!element) return 0;
    return this.cursor >= element.top && this.cursor < element.bottom ? this.cursor : element.top;
  }

  /** The byte at a part of all that is shown, from 0 to 1. */
  offsetAt(part: number): number {
    return (this.#layout >= 0 && this.#element?.offsetAt(part)) || 0;
  }

  /** To the data beyond a hole, or before it: as soon as the part that knows is here. */
  seekData(direction: 1 | -1): void {
    if (this.insight) void this.insight.seekData(direction);
    else this.#sought = direction;
  }

  /** What looks at the file as a whole has come. */
  attend(insight: Insight): void {
    this.insight = insight;
    if (this.#sought) void insight.seekData(this.#sought);
    this.#sought = undefined;
  }

  setFollow(follow: boolean): void {
    this.follow = follow;
    if (!follow) return;
    if (this.health.kind === 'changed') void this.open();
    this.#element?.scrollToEnd();
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
      ...(this.search !== undefined && { search: this.search }),
      ...(this.folded && { holes: 'folded' as const, ...this.#unfoldedLink() }),
    };
  }

  /** Needed where one is not folded, or where the cursor's is. */
  #unfoldedLink(): Pick<ViewLink, 'unfolded'> {
    const needed = this.#unfolded.size > 0 || this.#element?.folding?.foldOf(this.cursor) !== undefined;
    return needed ? { unfolded: [...this.#unfolded] } : {};
  }

  /** A place that is gone to must be seen, also when what folds is still on its way. */
  #uncover(offset: number): void {
    if (this.folded && !this.#element?.folding) this.#unfolded.add(offset);
  }

  #setUnfolded(offsets: readonly number[]): void {
    this.#unfolded.clear();
    for (const offset of offsets) this.#unfolded.add(offset);
    this.#element?.refold();
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
    if (link.search !== undefined) this.search = link.search;
    this.folded = link.holes === 'folded';
  }

  #look(): void {
    const element = this.#element;
    if (element) this.view = element.visible;
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
    if (link.unfolded) this.#setUnfolded(link.unfolded);
    else if (link.offset !== undefined || link.select) this.#uncover(cursor);
    if (link.top !== undefined) element.scrollToOffset(link.top);
    this.beyond = cursor < Math.max(1, this.size) ? undefined : cursor;
  }

  #settingChanged(): void {
    this.configure();
    this.#saveLink();
  }

  #moved(): void {
    const element = this.#element!;
    if (this.cursor !== element.cursor) this.beyond = undefined;
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
    if (this.health.kind === 'ok') this.refusal = '';
    this.busy = source.busy;
    this.#inspect();
  }

  #inspect(): void {
    const source = this.source;
    if (!source) return;
    const byte = new Int16Array(1);
    source.peek(this.cursor, byte);
    this.cursorByte = byte[0]! < 0 ? undefined : byte[0]!;
    const window = new Int16Array(Math.min(inspectedBytes, source.size - this.inspectedAt));
    source.peek(this.inspectedAt, window);
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
