/** What is known of the file as a whole: where it has data, what it looks like from afar, and when it becomes another. */

import { ReadFailure } from '../core/api';
import { binOf, ByteMap, mostBins } from '../core/byte_map';
import { ExtentMap, readExtents } from '../core/extents';
import { formatHex, formatSize } from '../core/format';
import type { PageSource } from '../core/page_source';
import { numberOf, pause, scan } from '../core/scan';
import { type FileState, FileWatch, type WatchEvent } from '../core/watch';
import type { Viewer } from './viewer.svelte';

/** Bytes on disk up to which every one is counted for the map: a quarter of a second of one of the server's cores. */
const largestExact = 256 * 1024 * 1024;
/** Bins of holes and data whose data is looked at apart, each by a request of its own. */
const mostLookedAt = 64;
/** A server that is busy is asked again so many times, then left alone. */
const mostAttempts = 5;
const attemptPause = 2000;
/** Milliseconds between two maps of a file that keeps changing. */
const mapPause = 15_000;
const drawPause = 100;
const reopenPause = 250;

export type MapState = 'none' | 'sampling' | 'refining' | 'ready' | 'unavailable';

export interface Picture {
  readonly map: ByteMap | undefined;
  readonly extents: ExtentMap | undefined;
}

const ended = (signal: AbortSignal): boolean => signal.aborted;

export class Insight {
  /** Map and extents, which are filled in place: another object whenever there is something new in them to be drawn. */
  picture = $state.raw<Picture>({ map: undefined, extents: undefined });
  mapState = $state<MapState>('none');
  /** Why there is no map, or none better. */
  mapMessage = $state('');
  /** What a command of this part has to say: for the status bar. */
  notice = $state('');

  readonly #watch: FileWatch;
  #map: ByteMap | undefined;
  #extents: ExtentMap | undefined;
  /** The version that the extents are of: while those of the next are read, nobody is led by the older ones. */
  #extentsOf: PageSource | undefined;
  #background: AbortController | undefined;
  #seeking: AbortController | undefined;
  #bins = 1;
  #mapped = -Infinity;
  #drawTimer: ReturnType<typeof setTimeout> | undefined;
  #reopening = false;
  #reopenTimer: ReturnType<typeof setTimeout> | undefined;
  #latest: FileState | undefined;
  #ended = false;
  #noticeTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly viewer: Viewer) {
    this.#watch = new FileWatch(`/watch?file=${viewer.path}`, (event) => this.#watched(event));
  }

  /** Begins, or goes on after `rest`. */
  wake(): void {
    this.#watch.start();
  }

  /** In a tab that nobody looks at: a browser has six connections for all its tabs, and a watch is one. */
  rest(): void {
    this.#watch.stop();
  }

  end(): void {
    this.#ended = true;
    this.rest();
    this.#background?.abort();
    this.#seeking?.abort();
    clearTimeout(this.#drawTimer);
    clearTimeout(this.#noticeTimer);
    clearTimeout(this.#reopenTimer);
  }

  get watching(): boolean {
    return this.#watch.connected;
  }

  tell(text: string): void {
    this.notice = text;
    clearTimeout(this.#noticeTimer);
    this.#noticeTimer = setTimeout(() => (this.notice = ''), 8000);
  }

  /** What the track had when it was last drawn anew. */
  get pixels(): number {
    return this.#bins;
  }

  /** The file is asked about anew: whatever was told before is older than the answer will be. */
  forget(): void {
    this.#latest = undefined;
  }

  /** Looks at a version from afar, for a track of so many pixels. What runs for another one ends. */
  survey(source: PageSource, pixels: number): void {
    this.#background?.abort();
    // Told of while this version was being opened, there may be one after it.
    if (this.#latest) this.#watched({ kind: 'version', state: this.#latest });
    const controller = new AbortController();
    this.#background = controller;
    this.#bins = Math.max(1, Math.min(mostBins, Math.round(pixels)));
    void this.#survey(source, controller.signal);
  }

  /** A taller track asks again only when its pixels are half as many again. */
  resized(source: PageSource, pixels: number): void {
    if (this.mapState === 'ready' && pixels > this.#bins * 1.5) this.survey(source, pixels);
  }

  async #survey(source: PageSource, signal: AbortSignal): Promise<void> {
    const { viewer } = this;
    this.mapMessage = '';
    // One request at a time: the server runs few scans at once, and a browser six requests.
    const sparse = viewer.info?.sparse !== false;
    if (!sparse) {
      this.#extents = undefined;
    } else {
      const extents = new ExtentMap();
      const done = await this.#attempt(source, signal, () => readExtents(viewer.api, source.version, extents, signal));
      if (ended(signal)) return;
      this.#extents = done ? extents : undefined;
      this.#extentsOf = source;
      if (done) source.holes = extents;
      this.#draw();
    }
    const wait = this.#mapped + mapPause - performance.now();
    if (this.#map && wait > 0) await pause(wait, signal);
    if (ended(signal)) return;
    this.mapState = 'sampling';
    const map = new ByteMap(source.size, this.#bins);
    const sampled = await this.#attempt(source, signal, () => this.#readBins(source, map, {}, signal));
    if (ended(signal)) return;
    if (!sampled) {
      this.#map = undefined;
      this.#finish('unavailable');
      return;
    }
    this.#mapped = performance.now();
    this.mapState = 'refining';
    await this.#attempt(source, signal, () => this.#refine(source, map, signal));
    if (ended(signal)) return;
    this.#finish('ready');
  }

  /** What is final is shown as a whole: never the state of now beside the picture of a moment ago. */
  #finish(state: MapState): void {
    this.#show();
    this.mapState = state;
  }

  async #readBins(
    source: PageSource,
    map: ByteMap,
    more: Readonly<Record<string, number>>,
    signal: AbortSignal,
  ): Promise<void> {
    const query = { bins: map.count, ...more };
    for await (const { type, fields } of scan(this.viewer.api, 'map', source.version, query, signal)) {
      if (type !== 'bin') continue;
      map.set(numberOf(fields, 'bin'), binOf(fields));
      if (this.#map !== map) this.#map = map;
      this.#draw();
    }
  }

  async #refine(source: PageSource, map: ByteMap, signal: AbortSignal): Promise<void> {
    const { api, info } = this.viewer;
    if (this.#extents) {
      for (const { index, data } of map.mixed(this.#extents, mostLookedAt)) {
        const query = { offset: data.offset, len: data.length, bins: 1 };
        for await (const { type, fields } of scan(api, 'map', source.version, query, signal))
          if (type === 'bin') map.setStored(index, binOf(fields));
        this.#draw();
      }
    }
    if (map.exact) return;
    const stored = Math.min(source.size, info?.allocated ?? source.size);
    if (stored <= largestExact) {
      await this.#readBins(source, map, { exact: 1 }, signal);
      return;
    }
    const count = Math.min(mostBins, source.size);
    if (count <= map.count) return;
    for await (const { type, fields } of scan(api, 'map', source.version, { bins: count }, signal))
      if (type === 'bin') map.setFine(numberOf(fields, 'bin'), binOf(fields), count);
  }

  /** Runs `work`, again later where the server is busy. False: it failed, and mapMessage says why. */
  async #attempt(source: PageSource, signal: AbortSignal, work: () => Promise<void>): Promise<boolean> {
    for (let attempt = 1; ; ++attempt) {
      try {
        await work();
        // What it failed with before is over.
        this.mapMessage = '';
        return true;
      } catch (error) {
        if (ended(signal)) return false;
        const failure = error instanceof ReadFailure ? error : new ReadFailure('refused', String(error));
        this.mapMessage = failure.message;
        source.heed(failure);
        if (!failure.transient || attempt >= mostAttempts) return false;
        await pause(failure.retryAfter ?? attemptPause, signal);
        if (ended(signal)) return false;
      }
    }
  }

  #draw(): void {
    this.#drawTimer ??= setTimeout(() => this.#show(), drawPause);
  }

  #show(): void {
    clearTimeout(this.#drawTimer);
    this.#drawTimer = undefined;
    this.picture = { map: this.#map, extents: this.#extents };
  }

  /** To the next data beyond a hole, or to where the data before begins. Back leads here again. */
  async seekData(direction: 1 | -1): Promise<void> {
    const { viewer } = this;
    const source = viewer.source;
    if (!source || source.size === 0) return;
    this.#seeking?.abort();
    const controller = new AbortController();
    this.#seeking = controller;
    const from = viewer.standing;
    try {
      const { findData } = await import('../core/find_data');
      const extents = this.#extentsOf === source ? this.#extents : undefined;
      const found = await findData(viewer.api, source.version, extents, from, direction, controller.signal);
      if (controller.signal.aborted) return;
      if (found === undefined) {
        this.tell(direction > 0 ? 'No more data beyond a hole' : 'No data before this place');
      } else {
        viewer.jump({ offset: found, length: 1 });
        this.tell(`Data at ${formatHex(found)}`);
      }
    } catch (error) {
      if (controller.signal.aborted) return;
      source.heed(error);
      this.tell(`Data was not found: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #watched(event: WatchEvent): void {
    const source = this.viewer.source;
    if (!source) return;
    if (event.kind === 'gone') {
      source.outdate('gone', 'The file is gone');
      this.#latest = undefined;
      return;
    }
    this.#latest = event.state;
    if (event.state.etag === source.version.etag) {
      source.revive();
    } else {
      this.#changed(source, event.state);
    }
  }

  #changed(source: PageSource, { size }: FileState): void {
    const { viewer } = this;
    const by = Math.abs(size - source.size);
    const what =
      size > source.size
        ? `it grew by ${formatSize(by)}`
        : size < source.size
          ? `it shrank by ${formatSize(by)}`
          : 'it was replaced or written to, with the same size';
    if (viewer.follow) {
      void this.#reopen();
      if (size <= source.size) this.tell(`The file changed: ${what}`);
    } else {
      source.outdate('changed', 'The file has changed');
      viewer.news = `: ${what}`;
    }
  }

  async #reopen(): Promise<void> {
    if (this.#reopening) return;
    this.#reopening = true;
    const before = this.viewer.source;
    await this.viewer.open();
    this.#reopening = false;
    const shown = this.viewer.source;
    // Where it failed, the viewer itself tries again, in the server's time and not in ours.
    if (this.#ended || shown === before) return;
    // A change that was told of in the meantime.
    if (this.#latest && shown && shown.version.etag !== this.#latest.etag && this.viewer.follow)
      this.#reopenTimer = setTimeout(() => void this.#reopen(), reopenPause);
  }
}
