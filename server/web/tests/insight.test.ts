import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Insight } from '../src/app/insight.svelte';
import type { Viewer } from '../src/app/viewer.svelte';
import { Api } from '../src/core/api';
import { PageSource } from '../src/core/page_source';
import { FakeServer, problem } from './fake_server';

const size = 2 ** 30;
const gone: string[] = [];

/** What the server tells of a file, as a test has it told. */
class FakeEvents extends EventTarget {
  static last: FakeEvents;
  readonly readyState = 1;

  constructor() {
    super();
    FakeEvents.last = this;
  }

  version(etag: string, bytes = size): void {
    this.dispatchEvent(new MessageEvent('version', { data: JSON.stringify({ etag, size: bytes }) }));
  }

  close(): void {
    gone.push('watch');
  }
}

function records(etag: string, ...lines: readonly object[]): Response {
  const all = [{ type: 'begin', etag }, ...lines, { type: 'end', status: 'complete', scanned: size }];
  return new Response(all.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

const extent = (kind: string, offset: number, length: number): object => ({ type: 'extent', kind, offset, length });

function sourceOf(server: FakeServer, etag: string): PageSource {
  return new PageSource(new Api(server.fetch), { path: 'a', size: server.size, etag });
}

/** As much of a viewer as an insight asks of it. */
function viewerOf(server: FakeServer) {
  const jumps: number[] = [];
  const viewer = {
    path: 'a',
    api: new Api(server.fetch),
    source: sourceOf(server, '"one"'),
    info: { sparse: true, allocated: 4096 },
    follow: true,
    news: '',
    standing: 0,
    jump: ({ offset }: { readonly offset: number }) => void jumps.push(offset),
    open: vi.fn(() => Promise.resolve()),
  };
  return { viewer, jumps, insight: new Insight(viewer as unknown as Viewer) };
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('EventSource', FakeEvents);
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe('a file that is followed', () => {
  test('and cannot be opened anew is not asked for again and again', async () => {
    const { viewer, insight } = viewerOf(new FakeServer(size));
    insight.wake();
    FakeEvents.last.version('"two"');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(viewer.open).toHaveBeenCalledTimes(1);
    insight.end();
  });

  test('is opened once more for a version that came meanwhile', async () => {
    const server = new FakeServer(size);
    const { viewer, insight } = viewerOf(server);
    viewer.open.mockImplementation(() => {
      viewer.source = sourceOf(server, viewer.open.mock.calls.length === 1 ? '"two"' : '"three"');
      return Promise.resolve();
    });
    insight.wake();
    FakeEvents.last.version('"two"');
    FakeEvents.last.version('"three"');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(viewer.open).toHaveBeenCalledTimes(2);
    insight.end();
  });

  test('is not opened any more once it was left', async () => {
    const server = new FakeServer(size);
    const { viewer, insight } = viewerOf(server);
    viewer.open.mockImplementation(() => {
      viewer.source = sourceOf(server, '"two"');
      return Promise.resolve().then(() => insight.end());
    });
    insight.wake();
    FakeEvents.last.version('"two"');
    FakeEvents.last.version('"three"');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(viewer.open).toHaveBeenCalledTimes(1);
    expect(gone).toContain('watch');
  });
});

test('the way to data is that of the version shown, not of the one before', async () => {
  const server = new FakeServer(size);
  const { viewer, jumps, insight } = viewerOf(server);
  let etag = '"one"';
  let held = false;
  server.intercept = ({ address }) => {
    if (address.startsWith('/map')) return problem(404, 'not here');
    const from = Number(/offset=(\d+)/.exec(address)?.[1] ?? 0);
    // The whole of the second version's extents is long in coming.
    if (held && from === 0 && !address.includes('offset')) return new Promise(() => undefined);
    const data = etag === '"one"' ? 4096 : 8192;
    return records(
      etag,
      extent('hole', 0, data),
      extent('data', data, 4096),
      extent('hole', data + 4096, size - data - 4096),
    );
  };
  insight.survey(viewer.source, 100);
  await vi.advanceTimersByTimeAsync(1000);
  await insight.seekData(1);
  expect(jumps).toEqual([4096]);

  etag = '"two"';
  held = true;
  viewer.source = sourceOf(server, etag);
  insight.survey(viewer.source, 100);
  await insight.seekData(1);
  expect(jumps).toEqual([4096, 8192]);
  insight.end();
});

test('what a busy server said is told while it is asked again, and no longer once it has answered', async () => {
  const server = new FakeServer(size);
  const { viewer, insight } = viewerOf(server);
  viewer.info.sparse = false;
  let busy = true;
  const bin = { zero: 1, printable: 0, control: 0, high: 0, ones: 0, entropy: 0, exact: true, counted: 1 };
  server.intercept = () =>
    busy
      ? problem(429, 'Too many scans', { 'Retry-After': '1' })
      : records('"one"', { type: 'bin', bin: 0, offset: 0, length: size, ...bin });
  insight.survey(viewer.source, 1);
  await vi.advanceTimersByTimeAsync(500);
  expect([insight.mapState, insight.mapMessage]).toEqual(['sampling', 'Too many scans']);
  busy = false;
  await vi.advanceTimersByTimeAsync(1000);
  expect([insight.mapState, insight.mapMessage]).toEqual(['ready', '']);
  insight.end();
});

test('a map is told to be ready together with what it ends with, not before', async () => {
  const server = new FakeServer(size);
  const { viewer, insight } = viewerOf(server);
  const bin = { bin: 0, offset: 0, length: size, entropy: 8, zero: 0, printable: 0, control: 0, high: 1, ones: 0 };
  let finish: (() => void) | undefined;
  server.intercept = ({ address }) => {
    if (!address.startsWith('/map')) return records('"one"', extent('data', 0, size));
    if (!address.includes('exact=1')) return records('"one"', { type: 'bin', ...bin, exact: false, counted: 1 });
    const exact = records('"one"', { type: 'bin', ...bin, exact: true, counted: size });
    return new Promise((resolve) => (finish = () => resolve(exact)));
  };
  insight.survey(viewer.source, 1);
  await vi.advanceTimersByTimeAsync(1000);
  expect(insight.mapState).toBe('refining');
  const sampled = insight.picture;
  expect(sampled.map?.exact).toBe(false);
  finish!();
  // No timer fires: whoever looks as soon as the map is ready sees all of it.
  for (let turn = 0; insight.mapState !== 'ready' && turn < 1000; ++turn) await Promise.resolve();
  expect(insight.mapState).toBe('ready');
  expect(insight.picture).not.toBe(sampled);
  insight.end();
});
