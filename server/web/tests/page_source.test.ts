import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Api } from '../src/core/api';
import { cacheCapacity, mostInFlight, PageSource, pageSize, restTime } from '../src/core/page_source';
import { readSpan } from '../src/core/read_span';
import { broken, byteOf, contents, FakeServer, problem } from './fake_server';

const size = 2 ** 44;
let server: FakeServer;
let source: PageSource;

beforeEach(() => {
  vi.useFakeTimers();
  server = new FakeServer(size);
  source = new PageSource(new Api(server.fetch), { path: 'a.img', size, etag: '"one"' });
});

afterEach(() => {
  source.dispose();
  vi.useRealTimers();
});

async function settle(milliseconds = 0): Promise<void> {
  await vi.advanceTimersByTimeAsync(milliseconds);
}

const ranges = (): (string | null)[] => server.asked.map(({ range }) => range);

function peek(offset: number, length: number): number[] {
  const out = new Int16Array(length);
  source.peek(offset, out);
  return [...out];
}

describe('pages', () => {
  it('come whole, aligned, and only those that are wanted', async () => {
    const page = 2 ** 40 / pageSize;
    source.want([page, page + 1]);
    await settle();
    expect(ranges()).toEqual([
      `bytes=${2 ** 40}-${2 ** 40 + pageSize - 1}`,
      `bytes=${2 ** 40 + pageSize}-${2 ** 40 + 2 * pageSize - 1}`,
    ]);
    expect(peek(2 ** 40 - 1, 3)).toEqual([-1, byteOf(2 ** 40), byteOf(2 ** 40 + 1)]);
    expect(peek(2 ** 40 + pageSize - 1, 2)).toEqual([byteOf(2 ** 40 + pageSize - 1), byteOf(2 ** 40 + pageSize)]);
    expect(peek(2 ** 40 + 2 * pageSize - 1, 2)).toEqual([byteOf(2 ** 40 + 2 * pageSize - 1), -1]);
  });

  it('end with the file', async () => {
    const odd = new PageSource(new Api(server.fetch), {
      path: 'a.img',
      size: (server.size = 2 * pageSize + 5),
      etag: '"one"',
    });
    odd.want([2]);
    await settle();
    expect(ranges()).toEqual([`bytes=${2 * pageSize}-${2 * pageSize + 4}`]);
    const out = new Int16Array(8);
    odd.peek(2 * pageSize, out);
    expect([...out]).toEqual([...contents(2 * pageSize, 5), -1, -1, -1]);
    odd.peek(-3, out);
    expect([...out.subarray(0, 3)]).toEqual([-1, -1, -1]);
    odd.dispose();
  });

  it('are not asked for twice, in flight or cached', async () => {
    server.hold();
    source.want([1]);
    source.want([1, 2]);
    source.want([2, 1]);
    await settle(1000);
    server.release();
    await settle();
    source.want([1]);
    source.want([2]);
    await settle(1000);
    expect(ranges()).toHaveLength(2);
  });

  it('never take more memory than the cache has', async () => {
    for (let page = 0; page < 600; ++page) {
      source.want([page]);
      await settle(restTime + 1);
      expect(source.cachedBytes).toBeLessThanOrEqual(cacheCapacity);
    }
    expect(source.cachedBytes).toBe(cacheCapacity);
    expect(source.state(599)).toEqual({ kind: 'ready' });
    expect(source.state(0)).toEqual({ kind: 'absent' });
    expect(source.state(600 - cacheCapacity / pageSize)).toEqual({ kind: 'ready' });
  });
});

describe('pages that were scrolled past', () => {
  it('are aborted', async () => {
    server.hold();
    source.want([1, 2, 3]);
    await settle(restTime + 1);
    source.want([3, 4]);
    await settle();
    expect(server.asked.map(({ signal }) => signal.aborted)).toEqual([true, true, false, false]);
    expect(source.counters.aborted).toBe(2);
    server.release();
    await settle();
    expect([1, 2, 3, 4].map((page) => source.state(page).kind)).toEqual(['absent', 'absent', 'ready', 'ready']);
    expect(source.health.kind).toBe('ok');
  });

  it('are never ahead of a visible one, however many there were', async () => {
    server.hold();
    for (let page = 0; page < 1000; page += 10) source.want([page, page + 1, page + 2, page + 3, page + 4, page + 5]);
    await settle(restTime + 1);
    const live = server.asked.filter(({ signal }) => !signal.aborted);
    expect(live.map(({ range }) => Number(/=(\d+)/.exec(range!)![1]) / pageSize)).toEqual([990, 991, 992, 993]);
    expect(live).toHaveLength(mostInFlight);
    server.release();
    await settle();
    expect(source.state(995).kind).toBe('ready');
  });

  it('are not even asked for while the view is dragged along', async () => {
    source.want([0]);
    await settle(restTime + 1);
    const before = server.asked.length;
    for (let step = 1; step <= 50; ++step) {
      source.want([step * 1000]);
      await settle(10);
    }
    expect(server.asked.length - before).toBeLessThanOrEqual(1);
    await settle(restTime);
    expect(ranges().at(-1)).toBe(`bytes=${50_000 * pageSize}-${50_001 * pageSize - 1}`);
  });
});

describe('failures', () => {
  it('stay where they happened, with their reason, until they are tried again', async () => {
    let failing = true;
    server.intercept = ({ range }) =>
      failing && range?.startsWith(`bytes=${pageSize}-`) ? problem(500, 'Input/output error') : undefined;
    source.want([0, 1, 2]);
    await settle(60_000);
    expect(source.state(0).kind).toBe('ready');
    expect(source.state(1)).toEqual({ kind: 'failed', message: 'Input/output error' });
    expect(source.state(2).kind).toBe('ready');
    expect(source.health.kind).toBe('ok');
    expect(server.asked).toHaveLength(3);
    failing = false;
    source.retry(1);
    await settle();
    expect(source.state(1).kind).toBe('ready');
  });

  it('are tried again after scrolling away and back', async () => {
    server.intercept = () => problem(500, 'Input/output error');
    source.want([1]);
    await settle(1000);
    server.intercept = undefined;
    source.want([5]);
    await settle(1000);
    source.want([1]);
    await settle(1000);
    expect(source.state(1).kind).toBe('ready');
  });

  it("of a page that breaks off every time are its own, not the server's", async () => {
    server.intercept = (asked) =>
      asked.range?.startsWith(`bytes=${pageSize}-`) ? broken(asked, size, '"one"', 100) : undefined;
    source.want([0, 1]);
    await settle(1000);
    expect(source.state(0).kind).toBe('ready');
    expect(source.state(1)).toEqual({ kind: 'failed', message: 'The server cannot be reached' });
    expect(source.health.kind).toBe('ok');
    expect(ranges().filter((range) => range?.startsWith(`bytes=${pageSize}-`))).toHaveLength(2);
  });

  it('of a page that breaks off once are mended without a word', async () => {
    let first = true;
    server.intercept = (asked) => {
      if (!asked.range || !first) return undefined;
      first = false;
      return broken(asked, size, '"one"', 100);
    };
    source.want([7]);
    await settle();
    expect(source.state(7).kind).toBe('ready');
    expect(source.health.kind).toBe('ok');
  });
});

describe('a server that goes away', () => {
  const away = (): Promise<Response> => Promise.reject(new TypeError('Failed to fetch'));

  it('is asked less and less often, one request at a time, and everything comes when it is back', async () => {
    server.intercept = away;
    source.want([1, 2, 3]);
    await settle();
    expect(source.health).toMatchObject({ kind: 'waiting', message: 'The server cannot be reached' });
    await settle(60_000);
    // 0.5, 1, 2, 4, 8 and then every 10 s; each try is a page and a HEAD.
    expect(server.asked.length).toBeLessThan(30);
    expect(source.health.kind).toBe('waiting');
    server.intercept = undefined;
    await settle(10_000);
    expect(source.health.kind).toBe('ok');
    expect([1, 2, 3].map((page) => source.state(page).kind)).toEqual(['ready', 'ready', 'ready']);
  });

  it('is asked at once on request', async () => {
    server.intercept = away;
    source.want([1]);
    await settle(20_000);
    server.intercept = undefined;
    source.retry();
    await settle();
    expect(source.health.kind).toBe('ok');
    expect(source.state(1).kind).toBe('ready');
  });

  it('is noticed by a probe, and found again though nothing is wanted', async () => {
    server.intercept = away;
    await source.probe();
    expect(source.health.kind).toBe('waiting');
    server.intercept = undefined;
    await settle(500);
    expect(source.health.kind).toBe('ok');
  });

  it('does not stay lost when the page that asks for it is scrolled past', async () => {
    server.intercept = away;
    source.want([1]);
    await settle();
    server.intercept = undefined;
    server.hold();
    await settle(500);
    expect(server.held).toBe(1);
    source.want([900]);
    server.release();
    await settle(100);
    expect(source.health.kind).toBe('ok');
    expect(source.state(900).kind).toBe('ready');
  });

  it('is given the time it asks for', async () => {
    server.intercept = () => problem(503, 'No page is free', { 'Retry-After': '7' });
    source.want([1]);
    await settle();
    const asked = server.asked.length;
    await settle(6_999);
    expect(server.asked).toHaveLength(asked);
    server.intercept = undefined;
    await settle(1);
    expect(source.state(1).kind).toBe('ready');
  });

  it('is given that time though a request that was under way is answered meanwhile', async () => {
    let answer: (() => void) | undefined;
    server.intercept = ({ range }) => {
      if (range?.startsWith(`bytes=${pageSize}-`)) return problem(503, 'No page is free', { 'Retry-After': '7' });
      return new Promise<undefined>((resolve) => (answer = () => resolve(undefined)));
    };
    source.want([1, 2]);
    await settle();
    answer!();
    await settle();
    expect(source.state(2).kind).toBe('ready');
    expect(source.health).toMatchObject({ kind: 'waiting', message: 'No page is free' });
    server.intercept = undefined;
    await settle(6_999);
    expect(source.state(1).kind).toBe('absent');
    await settle(1);
    expect(source.state(1).kind).toBe('ready');
    expect(source.health.kind).toBe('ok');
  });
});

describe('a file that changes', () => {
  it('is read no further, and what was read stays', async () => {
    source.want([0]);
    await settle();
    server.etag = '"two"';
    source.want([0, 1]);
    await settle(100);
    expect(source.health.kind).toBe('changed');
    const asked = server.asked.length;
    source.want([5]);
    source.retry();
    await settle(60_000);
    expect(server.asked).toHaveLength(asked);
    expect(peek(0, 1)).toEqual([byteOf(0)]);
  });

  it('is noticed by a probe, as is one that is gone', async () => {
    server.etag = '"two"';
    await source.probe();
    expect(source.health.kind).toBe('changed');
    const other = new PageSource(new Api(server.fetch), { path: 'b', size, etag: '"two"' });
    server.intercept = () => problem(404, 'Not found');
    await other.probe();
    expect(other.health.kind).toBe('gone');
    other.dispose();
  });
});

describe('reading for copies', () => {
  it('takes what is cached, fetches the rest, and leaves the cache as it is', async () => {
    source.want([1]);
    await settle();
    const before = source.cachedBytes;
    server.asked.length = 0;
    const seen: number[] = [];
    const from = pageSize + 10;
    const bytes = await readSpan(source, { offset: from, length: pageSize }, new AbortController().signal, (done) =>
      seen.push(done),
    );
    expect(bytes).toEqual(contents(from, pageSize));
    expect(seen).toEqual([pageSize - 10, pageSize]);
    expect(source.cachedBytes).toBe(before);
    expect(ranges()).toEqual([`bytes=${2 * pageSize}-${2 * pageSize + 9}`]);
  });
});

describe('after its end', () => {
  it('a source asks and tells nothing', async () => {
    let told = 0;
    source.subscribe(() => ++told);
    server.hold();
    source.want([1]);
    const before = told;
    source.dispose();
    server.release();
    await settle(60_000);
    source.want([2]);
    await source.probe();
    await settle(60_000);
    expect(told).toBe(before);
    expect(server.asked).toHaveLength(1);
    expect(source.cachedBytes).toBe(0);
  });
});
