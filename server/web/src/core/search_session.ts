/**
 * One search of one version of a file, begun at a place: all matches from there on, then those before it. Beside the list that
 * is being gathered it finds the next and the previous match from anywhere, by what is known, and by asking where nothing is.
 */

import { type Api, ReadFailure, type Version } from './api';
import { HitCollector, margins, mostHits, Part } from './hit_collector';
import type { Hit } from './hit_store';
import { clamp } from './rows';
import { scan } from './search_records';
import { searchAddress, type SearchQuery, type SearchWindow } from './search_query';
import type { Span } from './view_link';

export type Direction = 'next' | 'previous';

export type StepState =
  | { readonly kind: 'idle' }
  /** `scanned` of `total` bytes were looked at for it; without them it waits for the list's own search. */
  | { readonly kind: 'looking'; readonly direction: Direction; readonly scanned?: number; readonly total?: number }
  | { readonly kind: 'found'; readonly hit: Hit; readonly wrapped: boolean }
  | { readonly kind: 'none' }
  | { readonly kind: 'failed'; readonly direction: Direction; readonly failure: ReadFailure };

/** What the first look back for a regular expression covers: it is searched forward only, in windows that grow. */
const firstWindowBack = 512 * 1024;
const windowGrowth = 8;
/** Matches that are marked on screen at most; a screen has fewer bytes. */
const mostMarks = 20_000;

type Known =
  | { readonly kind: 'hit'; readonly hit: Hit; readonly wrapped: boolean }
  | { readonly kind: 'none' }
  /** The list's own search will come to it. */
  | { readonly kind: 'ahead' }
  | { readonly kind: 'unknown' };

export interface SessionOptions {
  readonly api: Api;
  readonly version: Version;
  readonly query: SearchQuery;
  /** Where the search begins. */
  readonly origin: number;
  readonly capacity?: number;
  readonly changed: () => void;
  /** A match was stepped to. */
  readonly arrived: (hit: Hit) => void;
}

export class SearchSession {
  /** Counts all matches; its hits are the first page of the list. */
  readonly collector: HitCollector;
  #list: HitCollector;
  /** Where each page of the list begins: the pages that were seen, and the one after. */
  #pages: { readonly part: number; readonly offset: number }[] = [];
  #page = 0;
  #step: StepState = { kind: 'idle' };
  #stepController: AbortController | undefined;
  /** A step that waits for the list's own search. */
  #awaited: { readonly direction: Direction; readonly from: number } | undefined;

  constructor(private readonly options: SessionOptions) {
    const { size } = options.version;
    const origin = clamp(options.origin, 0, size);
    this.collector = this.#collect([new Part(origin, size), new Part(0, origin)], true);
    this.#list = this.collector;
    this.#pages = [{ part: 0, offset: origin }];
  }

  get query(): SearchQuery {
    return this.options.query;
  }

  get version(): Version {
    return this.options.version;
  }

  get step(): StepState {
    return this.#step;
  }

  /** The page of the list that is shown. */
  get list(): HitCollector {
    return this.#list;
  }

  get page(): number {
    return this.#page;
  }

  get capacity(): number {
    return this.options.capacity ?? mostHits;
  }

  /** Matches on the pages before the one that is shown. */
  get skipped(): number {
    return this.#page * this.capacity;
  }

  /** Whether more were counted than this page and those before it hold. */
  get hasNextPage(): boolean {
    return this.#list.overflowed && this.collector.count > this.skipped + this.#list.length;
  }

  /** The server was asked, and has not said yet whether it searches for this at all: whatever else there is to ask can wait. */
  get undecided(): boolean {
    return this.untaken && this.collector.state.kind === 'running';
  }

  /** The server does not search for this: it has not said yet that it does, or has said that it does not. */
  get untaken(): boolean {
    const { kind } = this.collector.state;
    return !this.collector.answered && (kind === 'running' || kind === 'failed');
  }

  start(): void {
    this.collector.start();
  }

  /** Ends whatever is under way; nothing that was found is lost. */
  stop(): void {
    this.#endStep();
    this.collector.stop();
    this.#list.stop();
    this.options.changed();
  }

  resume(): void {
    this.collector.start();
    this.#list.start();
  }

  showPage(page: number): void {
    if (page < 0 || page === this.#page || (page > this.#page && !this.hasNextPage)) return;
    if (page > this.#page) this.#pages[page] = this.#endOfPage();
    if (this.#list !== this.collector) this.#list.stop();
    this.#page = page;
    const { part, offset } = this.#pages[page]!;
    if (page === 0) {
      this.#list = this.collector;
    } else {
      const { parts } = this.collector;
      const rest = parts.flatMap(({ from, to }, at) => (at < part ? [] : [new Part(at === part ? offset : from, to)]));
      this.#list = this.#collect(rest, false);
      this.#list.start();
    }
    this.options.changed();
  }

  /** Goes to the nearest match after `from`, or before it; `inclusive`: one that begins at it counts as after it. */
  go(direction: Direction, from: number, inclusive = false): void {
    this.#endStep();
    const place = direction === 'next' && !inclusive ? from + 1 : from;
    const known = this.#known(direction, place);
    switch (known.kind) {
      case 'hit':
        this.#arrive(known.hit, known.wrapped);
        return;
      case 'none':
        this.#setStep({ kind: 'none' });
        return;
      case 'ahead':
        this.#await(direction, place);
        this.collector.start();
        return;
      case 'unknown':
        if (this.undecided) this.#await(direction, place);
        else void this.#ask(direction, place);
    }
  }

  /** Goes to a match of the list. */
  goTo(index: number): void {
    const hit = this.#list.at(index);
    if (!hit) return;
    this.#endStep();
    this.#arrive(hit, false);
  }

  /** The matches that have a byte in a window, as far as they are known; undefined where they are not. */
  marks(window: Span): readonly Hit[] | undefined {
    const end = Math.min(this.version.size, window.offset + window.length);
    // A match that reaches into the window began before it.
    const first = Math.max(0, window.offset - this.#reach());
    for (const { parts } of new Set([this.#list, this.collector])) {
      if (!covers(parts, first, end)) continue;
      return parts
        .flatMap(({ hits }) => hits.within(window.offset, end, mostMarks))
        .sort((a, b) => a.offset - b.offset);
    }
    return undefined;
  }

  /** Asks for the matches that have a byte in a window. */
  async askMarks(window: Span, signal: AbortSignal): Promise<readonly Hit[]> {
    const { before, after } = margins(this.query);
    // What reaches in must be told, and told as in a search of the whole file: for an expression twice as far before it.
    const offset = Math.max(0, window.offset - this.#reach() - before);
    const end = window.offset + window.length;
    const found: Hit[] = [];
    await this.#scan({ offset, length: end + after - offset, limit: mostHits }, signal, (hit) => {
      if (hit.offset < end && hit.offset + hit.length > window.offset) found.push(hit);
      return found.length < mostMarks;
    });
    return found;
  }

  dispose(): void {
    this.#endStep();
    this.collector.stop();
    this.#list.stop();
  }

  /** Bytes before a place in which a match may begin that reaches beyond it. */
  #reach(): number {
    const { before, after } = margins(this.query);
    return Math.max(before, after);
  }

  #collect(parts: readonly Part[], counting: boolean): HitCollector {
    const { api, version, query, capacity } = this.options;
    return new HitCollector({
      api,
      version,
      query,
      parts,
      counting,
      ...(capacity !== undefined && { capacity }),
      changed: () => this.#collected(),
    });
  }

  #collected(): void {
    const awaited = this.#awaited;
    if (awaited) {
      const known = this.#known(awaited.direction, awaited.from);
      const { kind } = this.collector.state;
      if (known.kind === 'hit') {
        this.#awaited = undefined;
        this.#arrive(known.hit, known.wrapped);
      } else if (known.kind === 'none') {
        this.#awaited = undefined;
        this.#setStep({ kind: 'none' });
      } else if (kind === 'stopped' || kind === 'failed') {
        this.#awaited = undefined;
        this.#setStep({ kind: 'idle' });
      } else if (known.kind === 'unknown' && this.collector.answered) {
        // The list's search does not come to it first, or passed it by, having more matches than there is room for.
        this.#awaited = undefined;
        void this.#ask(awaited.direction, awaited.from);
      }
    }
    this.options.changed();
  }

  #endOfPage(): { part: number; offset: number } {
    const { parts } = this.collector;
    const last = this.#list.at(this.#list.length - 1);
    const offset = (last?.offset ?? -1) + 1;
    // The parts of the first page are in the order of the search: the one that begins at 0 comes last.
    return { part: last && offset > parts[0]!.from ? 0 : 1, offset };
  }

  /**
   * What the hits at hand say about the match after `place` (or before it). They cover stretches of the file: as long as one
   * is followed by another without a gap, the answer is known.
   */
  #known(direction: Direction, place: number): Known {
    const { size } = this.version;
    const parts = [...new Set([...this.#list.parts, ...this.collector.parts])];
    const forward = direction === 'next';
    let at = clamp(place, 0, size);
    let wrapped = false;
    // Each stretch is passed once, and the file's end once.
    for (let turn = 0; turn <= 2 * parts.length + 2; ++turn) {
      if (wrapped && (forward ? at >= place : at <= place)) return { kind: 'none' };
      if (forward ? at >= size : at <= 0) {
        if (wrapped) return { kind: 'none' };
        wrapped = true;
        at = forward ? 0 : size;
        continue;
      }
      const stretch = forward
        ? parts.find((part) => part.from <= at && at < part.covered)
        : parts.find((part) => part.from < at && at <= part.covered);
      if (!stretch) {
        // Where the search will come to next: waiting costs the server nothing.
        const frontier = this.collector.parts.find((part) => !part.complete);
        const ahead = forward && frontier !== undefined && !frontier.overflowed && frontier.position === at;
        return { kind: ahead ? 'ahead' : 'unknown' };
      }
      const index = stretch.hits.indexFrom(at);
      const hit = stretch.hits.at(forward ? index : index - 1);
      if (hit) return { kind: 'hit', hit, wrapped };
      at = forward ? stretch.covered : stretch.from;
    }
    return { kind: 'none' };
  }

  #setStep(step: StepState): void {
    this.#step = step;
    this.options.changed();
  }

  #await(direction: Direction, from: number): void {
    this.#awaited = { direction, from };
    this.#setStep({ kind: 'looking', direction });
  }

  #arrive(hit: Hit, wrapped: boolean): void {
    this.#setStep({ kind: 'found', hit, wrapped });
    this.options.arrived(hit);
  }

  #endStep(): void {
    this.#awaited = undefined;
    this.#stepController?.abort();
    this.#stepController = undefined;
    this.#step = { kind: 'idle' };
  }

  /** Asks the server for the one match, first on this side of the file, then from its other end. */
  async #ask(direction: Direction, place: number): Promise<void> {
    const controller = new AbortController();
    this.#stepController = controller;
    const { signal } = controller;
    const { size } = this.version;
    const at = clamp(place, 0, size);
    const look = direction === 'next' ? this.#first : this.#last;
    this.#setStep({ kind: 'looking', direction, scanned: 0, total: size });
    try {
      const here: [number, number] = direction === 'next' ? [at, size] : [0, at];
      const there: [number, number] = direction === 'next' ? [0, at] : [at, size];
      const near = await look.call(this, here[0], here[1], 0, signal);
      const hit = near ?? (await look.call(this, there[0], there[1], here[1] - here[0], signal));
      if (signal.aborted) return;
      if (hit) this.#arrive(hit, near === undefined);
      else this.#setStep({ kind: 'none' });
    } catch (error) {
      if (signal.aborted) return;
      const failure = error instanceof ReadFailure ? error : new ReadFailure('refused', String(error));
      this.#setStep({ kind: 'failed', direction, failure });
    }
  }

  #looked(scanned: number): void {
    if (this.#step.kind === 'looking') this.#setStep({ ...this.#step, scanned, total: this.version.size });
  }

  /** The first match that begins in [from, to). `done` bytes were looked at before. */
  async #first(from: number, to: number, done: number, signal: AbortSignal): Promise<Hit | undefined> {
    if (from >= to) return undefined;
    const { before, after } = margins(this.query);
    const offset = Math.max(0, from - before);
    let found: Hit | undefined;
    await this.#scan(
      { offset, length: to + after - offset, limit: before + 1 },
      signal,
      (hit) => {
        if (hit.offset >= from && hit.offset < to) found = hit;
        return hit.offset < from;
      },
      (scanned) => this.#looked(done + scanned),
    );
    return found;
  }

  /** The last match that begins in [from, to). */
  async #last(from: number, to: number, done: number, signal: AbortSignal): Promise<Hit | undefined> {
    if (from >= to) return undefined;
    const { before, after } = margins(this.query);
    if (before > 0) return this.#lastByWindows(from, to, done, signal);
    let found: Hit | undefined;
    await this.#scan(
      { offset: from, length: to + after - from, limit: 1, backward: true },
      signal,
      (hit) => {
        found = hit;
        return false;
      },
      (scanned) => this.#looked(done + scanned),
    );
    return found;
  }

  /** The same for what is searched forward only: in ever longer windows before `to`, whose last match is the one. */
  async #lastByWindows(from: number, to: number, done: number, signal: AbortSignal): Promise<Hit | undefined> {
    const { before, after } = margins(this.query);
    let end = to;
    for (let length = firstWindowBack; end > from; length *= windowGrowth) {
      const begin = Math.max(from, end - length);
      const offset = Math.max(0, begin - before);
      let found: Hit | undefined;
      let told = 0;
      await this.#scan(
        { offset, length: end + after - offset, limit: mostHits },
        signal,
        (hit) => {
          ++told;
          if (hit.offset >= begin && hit.offset < end) found = hit;
          return told < mostHits && hit.offset < end;
        },
        (scanned) => this.#looked(done + (to - end) + scanned),
      );
      if (told < mostHits) {
        if (found) return found;
        end = begin;
      } else {
        // So many that the last of them were not told. The next window is too short to hold as many.
        length = firstWindowBack / windowGrowth / windowGrowth;
      }
    }
    return undefined;
  }

  #scan(
    window: SearchWindow,
    signal: AbortSignal,
    take: (hit: Hit) => boolean,
    progress?: (scanned: number) => void,
  ): Promise<void> {
    const { api, version, query } = this.options;
    const length = Math.min(window.length, version.size - window.offset);
    const address = searchAddress(version.path, query, { ...window, length });
    return scan(api, version, address, signal, (record) => {
      if (record.type === 'match') return take(record);
      if (record.type === 'progress') progress?.(record.scanned);
      return true;
    });
  }
}

/** Whether all matches that begin in [from, to) are in the parts' hits. */
function covers(parts: readonly Part[], from: number, to: number): boolean {
  let at = from;
  for (const part of [...parts].sort((a, b) => a.from - b.from)) {
    if (part.to <= at) continue;
    if (part.from > at || part.covered <= at) break;
    at = part.covered;
  }
  return at >= to;
}
