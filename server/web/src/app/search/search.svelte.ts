/** The search as the panel shows it: what was typed, what runs, and where it leads. */

import { ReadFailure } from '../../core/api';
import { formatHex, formatInteger } from '../../core/format';
import type { CollectorState, HitCollector } from '../../core/hit_collector';
import { HitContext } from '../../core/hit_context';
import type { Hit } from '../../core/hit_store';
import { type Pace, secondsLeft } from '../../core/scan_pace';
import {
  describeRefusal,
  formatQuery,
  type NumberType,
  parseQuery,
  readQuery,
  type SearchEncoding,
  type SearchMode,
  type SearchOptions,
  type SearchQuery,
} from '../../core/search_query';
import { type Direction, SearchSession, type StepState } from '../../core/search_session';
import type { Span } from '../../core/view_link';
import { readSetting, writeSetting } from '../settings';
import type { Viewer } from '../viewer.svelte';

const mostRecent = 10;
/** Milliseconds for which the view rests before matches in it are asked for. */
const markDelay = 120;
const markRetry = 2000;

/** What a frame shows of a session. */
export interface Snapshot {
  readonly state: CollectorState;
  readonly step: StepState;
  readonly scanned: number;
  readonly total: number;
  /** Bytes a second, and seconds to go, as far as they can be told. */
  readonly rate: number | undefined;
  readonly secondsLeft: number | undefined;
  /** All that were found, whether listed or not. */
  readonly count: number;
  /** The list: its page, its length, what it began after. */
  readonly list: {
    readonly state: CollectorState;
    readonly length: number;
    /** Index of the first that was found from the start of the file on. */
    readonly turn: number;
    readonly skipped: number;
    readonly page: number;
    readonly hasNext: boolean;
  };
}

function storedSearches(): string[] {
  try {
    const stored: unknown = JSON.parse(readSetting('searches') ?? '[]');
    return Array.isArray(stored)
      ? stored.filter((one): one is string => typeof one === 'string').slice(0, mostRecent)
      : [];
  } catch {
    return [];
  }
}

export class Search {
  text = $state('');
  mode = $state<SearchMode | 'auto'>('auto');
  ignoreCase = $state(false);
  encoding = $state<SearchEncoding>('utf-8');
  type = $state<NumberType>('u32');
  order = $state<'little' | 'big'>('little');

  /** Why the server, or this viewer, does not search for what is typed; until it is typed anew. */
  refused = $state('');
  session = $state.raw<SearchSession | undefined>();
  snapshot = $state.raw<Snapshot | undefined>();
  context = $state.raw<HitContext | undefined>();
  /** Grows when bytes of the list's rows have come, or failed to. */
  #contextVersion = $state(0);
  recent = $state.raw<readonly SearchQuery[]>(
    storedSearches()
      .map(parseQuery)
      .filter((query) => query !== undefined),
  );

  readonly result = $derived(readQuery(this.text, this.mode, this.#options()));
  /** What is typed is what was searched for. */
  readonly current = $derived(
    this.result.ok && this.session !== undefined && formatQuery(this.result.query) === formatQuery(this.session.query),
  );
  /** The file that is shown is not the one that was searched. */
  readonly outdated = $derived.by(
    () =>
      this.session !== undefined &&
      (this.session.version.etag !== this.viewer.source?.version.etag || this.changed(this.snapshot?.state)),
  );

  #frame = 0;
  #hidden = false;
  #measured: { readonly pace: Pace; readonly left: number | undefined } | undefined;
  #arrivedAt = -1;
  #marked: { readonly windows: readonly Span[]; readonly hits: readonly Hit[] } | undefined;
  #markController: AbortController | undefined;
  #markTimer: ReturnType<typeof setTimeout> | undefined;
  #asking: readonly Span[] | undefined;

  constructor(readonly viewer: Viewer) {
    this.encoding = viewer.encoding === 'latin-1' || viewer.encoding === 'ebcdic' ? viewer.encoding : 'utf-8';
    this.order = viewer.order;
  }

  /**
   * Takes up a search from the address. It is filled in, and its matches in view are marked; the file is not searched until
   * somebody says so. A link should be safe to open: a search reads all of the file, takes one of the few places that the server
   * has for them, and would be begun by every reload and by each of the many who are sent the same link. Its sender's place is
   * on screen all the same, and one key takes it from there.
   */
  restore(text: string): void {
    if (this.session && formatQuery(this.session.query) === text) return;
    const query = parseQuery(text);
    if (!query || !this.viewer.source) return;
    this.fill(query);
    this.#begin(query);
  }

  fill(query: SearchQuery): void {
    this.text = query.value;
    this.mode = query.mode;
    this.ignoreCase = query.ignoreCase;
    this.encoding = query.encoding;
    this.type = query.type;
    this.order = query.order;
    this.refused = '';
  }

  /** Begins the search that is typed, or goes on in it from the cursor. */
  go(direction: Direction): void {
    const { result, viewer } = this;
    if (!result.ok) {
      this.refused = result.message;
      return;
    }
    if (!viewer.source) return;
    if (viewer.size === 0) {
      this.refused = 'The file is empty';
      return;
    }
    if (this.outdated) {
      void this.renew(direction);
      return;
    }
    const { offset } = viewer.selection;
    if (!this.current) this.#begin(result.query);
    const session = this.session!;
    this.refused = '';
    // The first time, and whenever the gathering had not begun: what is found on the way fills the list.
    const fresh = session.collector.scanned === 0;
    if (fresh) session.start();
    // The match that is selected now is not the next one; a first search looks at the cursor's byte too.
    session.go(direction, offset, this.#arrivedAt !== offset);
    this.#remember(result.query);
    this.#draw();
  }

  start(): void {
    const { session } = this;
    if (!session) return;
    session.resume();
    this.#remember(session.query);
  }

  stop(): void {
    this.session?.stop();
  }

  /** The search waits for a server that cannot be reached at all, and so does the page, which says so. */
  get waitsWithPage(): boolean {
    return isAway(this.snapshot?.state) && this.viewer.health.kind === 'waiting';
  }

  /** Whoever found out first that the server is there again tells the other. */
  serverIsBack(): void {
    if (isAway(this.snapshot?.state)) this.session?.resume();
  }

  retry(): void {
    const step = this.session?.step;
    if (step?.kind === 'failed') this.go(step.direction);
    else this.session?.resume();
  }

  /** Searches the version that the file is now. */
  async renew(direction?: Direction): Promise<void> {
    const query = this.session?.query;
    if (!query) return;
    if (this.changed(this.snapshot?.state) && this.session?.version.etag === this.viewer.source?.version.etag) {
      await this.viewer.open();
    }
    if (this.session?.version.etag === this.viewer.source?.version.etag) return;
    this.#begin(query);
    this.session?.start();
    if (direction) this.session?.go(direction, this.viewer.selection.offset, true);
  }

  /** The bytes around a match of the list, as they come. */
  bytesOf(hit: Hit): Uint8Array | undefined {
    return this.#contextVersion >= 0 ? this.context?.of(hit) : undefined;
  }

  get contextFailure(): ReadFailure | undefined {
    return this.#contextVersion >= 0 ? this.context?.failure : undefined;
  }

  goTo(index: number): void {
    this.session?.goTo(index);
  }

  showPage(page: number): void {
    this.session?.showPage(page);
  }

  /** The panel is closed: what runs is stopped, and the marks leave the grid. */
  hide(): void {
    this.#hidden = true;
    this.stop();
    this.#endMarks();
    this.viewer.showMatches([]);
    this.viewer.setSearch(undefined);
  }

  show(): void {
    this.#hidden = false;
    if (!this.session) return;
    this.viewer.setSearch(formatQuery(this.session.query));
    this.mark();
  }

  dispose(): void {
    cancelAnimationFrame(this.#frame);
    this.#endMarks();
    this.session?.dispose();
    this.context?.dispose();
  }

  changed(state: CollectorState | undefined): boolean {
    return state?.kind === 'failed' && (state.failure.kind === 'changed' || state.failure.kind === 'gone');
  }

  /** Marks the matches in view, as they are known; what is not known is asked for once the view rests. */
  mark(): void {
    const { session, viewer } = this;
    if (!session || this.#hidden || this.outdated || this.refused !== '') {
      this.#endMarks();
      viewer.showMatches([]);
      return;
    }
    if (session.untaken) return;
    const { view, size } = viewer;
    if (view.length === 0) return;
    // Each stretch in view, and as much before and behind it.
    const windows = view.map(({ offset, length }): Span => {
      const from = Math.max(0, offset - length);
      return { offset: from, length: Math.min(size, offset + 2 * length) - from };
    });
    const known = windows.map((window) => session.marks(window));
    if (known.every((hits) => hits !== undefined)) {
      this.#endMarks();
      viewer.showMatches(known.flat());
      return;
    }
    if (this.#marked && holds(this.#marked.windows, view, size)) {
      viewer.showMatches(this.#marked.hits);
      return;
    }
    if (this.#asking && holds(this.#asking, view, size)) return;
    this.#endMarks();
    this.#asking = windows;
    this.#markTimer = setTimeout(() => void this.#askMarks(session, windows), markDelay);
  }

  async #askMarks(session: SearchSession, windows: readonly Span[]): Promise<void> {
    const controller = new AbortController();
    this.#markController = controller;
    try {
      const hits: Hit[] = [];
      // One after another: the server runs few searches at once.
      for (const window of windows)
        hits.push(...(session.marks(window) ?? (await session.askMarks(window, controller.signal))));
      if (controller.signal.aborted) return;
      this.#marked = { windows, hits };
      this.#asking = undefined;
      this.mark();
    } catch (error) {
      if (controller.signal.aborted || !(error instanceof ReadFailure)) return;
      if (error.status === 400) this.refused = describeRefusal(session.query, error.message);
      // The marks are an aid: when the server is busy they come later, and the list tells of what matters.
      else if (error.transient)
        this.#markTimer = setTimeout(() => void this.#askMarks(session, windows), error.retryAfter ?? markRetry);
    }
  }

  #endMarks(): void {
    clearTimeout(this.#markTimer);
    this.#markController?.abort();
    this.#asking = undefined;
    this.#marked = undefined;
  }

  #options(): SearchOptions {
    return { ignoreCase: this.ignoreCase, encoding: this.encoding, type: this.type, order: this.order };
  }

  #begin(query: SearchQuery): void {
    const { viewer } = this;
    const { api, source } = viewer;
    if (!source) return;
    this.session?.dispose();
    this.context?.dispose();
    this.#endMarks();
    this.#arrivedAt = -1;
    this.session = new SearchSession({
      api,
      version: source.version,
      query,
      origin: viewer.selection.offset,
      changed: () => this.#invalidate(),
      arrived: (hit) => this.#arrive(hit),
    });
    this.context = new HitContext(api, source.version, () => (this.#contextVersion += 1));
    viewer.setSearch(formatQuery(query));
    this.#draw();
    this.mark();
  }

  #arrive(hit: Hit): void {
    // Stepping from match to match leaves one place to come back to: where it began.
    const stepping = this.#arrivedAt >= 0 && this.#arrivedAt === this.viewer.selection.offset;
    this.#arrivedAt = hit.offset;
    this.viewer.jump(hit, stepping);
  }

  #invalidate(): void {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const { session } = this;
    if (!session) return;
    const { collector, list, step } = session;
    const { state } = collector;
    const failure = state.kind === 'failed' ? state.failure : step.kind === 'failed' ? step.failure : undefined;
    if (failure?.status === 400) this.refused = describeRefusal(session.query, failure.message);
    // The grid's banner tells what the search found out.
    const news =
      failure?.kind === 'changed'
        ? !this.changed(this.snapshot?.state)
        : isAway(state) && !isAway(this.snapshot?.state);
    if (news) void this.viewer.source?.probe();
    this.snapshot = {
      state,
      step,
      scanned: collector.scanned,
      total: collector.total,
      rate: collector.pace?.rate,
      secondsLeft: this.#secondsLeft(collector),
      count: collector.count,
      list: {
        state: list.state,
        length: list.length,
        turn: list.parts.length > 1 ? list.parts[0]!.hits.length : list.parts[0]?.from === 0 ? 0 : list.length,
        skipped: session.skipped,
        page: session.page,
        hasNext: session.hasNextPage,
      },
    };
    this.mark();
  }

  /** Told anew with each record of progress, not with each match. */
  #secondsLeft(collector: HitCollector): number | undefined {
    const { pace } = collector;
    if (pace !== this.#measured?.pace) {
      const { insight, source } = this.viewer;
      const extents = insight?.picture.extents;
      const left = pace && secondsLeft(pace, collector.left, extents === source?.holes ? extents : undefined);
      this.#measured = pace && { pace, left };
    }
    return this.#measured?.left;
  }

  #remember(query: SearchQuery): void {
    const text = formatQuery(query);
    if (this.recent[0] && formatQuery(this.recent[0]) === text) return;
    this.recent = [query, ...this.recent.filter((one) => formatQuery(one) !== text)].slice(0, mostRecent);
    writeSetting('searches', JSON.stringify(this.recent.map(formatQuery)));
  }
}

function isAway(state: CollectorState | undefined): boolean {
  return state?.kind === 'waiting' && state.failure.kind === 'unreachable';
}

/** Every stretch in view lies in a window. */
function holds(windows: readonly Span[], view: readonly Span[], size: number): boolean {
  return view.every(({ offset, length }) => {
    const end = Math.min(size, offset + length);
    return windows.some((window) => window.offset <= offset && window.offset + window.length >= end);
  });
}

export function describeCount(count: number): string {
  return count === 1 ? '1 match' : `${formatInteger(count)} matches`;
}

/** What became of a step, in words: for the eye and for a screen reader. */
export function describeStep(step: StepState, rank: string): string {
  switch (step.kind) {
    case 'found':
      return `Found at ${formatHex(step.hit.offset)}${rank}${step.wrapped ? ', from the file’s other end' : ''}`;
    case 'none':
      return 'Not found';
    default:
      return '';
  }
}
