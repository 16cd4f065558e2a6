import fc from 'fast-check';
import { describe, expect, it, test, vi } from 'vitest';
import type { Hit } from '../src/core/hit_store';
import { readQuery, type SearchQuery } from '../src/core/search_query';
import { type Direction, SearchSession } from '../src/core/search_session';
import { FakeSearch, type Found, problem, reference } from './fake_search';

const options = { ignoreCase: false, encoding: 'utf-8', type: 'u32', order: 'little' } as const;

function query(text: string): SearchQuery {
  const result = readQuery(text, 'auto', options);
  if (!result.ok) throw new Error(result.message);
  return result.query;
}

function found(server: FakeSearch, one: SearchQuery): Found[] {
  return reference(
    server.bytes,
    one.mode === 'hex' ? one.value : undefined,
    one.mode === 'regex' ? one.value : undefined,
  );
}

/** A session whose changes can be awaited. */
class Subject {
  readonly session: SearchSession;
  readonly arrived: Hit[] = [];
  #waiting: (() => void)[] = [];

  constructor(server: FakeSearch, one: SearchQuery, origin = 0, capacity?: number) {
    this.session = new SearchSession({
      api: server.api,
      version: server.version,
      query: one,
      origin,
      ...(capacity !== undefined && { capacity }),
      changed: () => {
        for (const go of this.#waiting.splice(0)) go();
      },
      arrived: (hit) => this.arrived.push({ offset: hit.offset, length: hit.length }),
    });
  }

  async until(condition: (session: SearchSession) => boolean): Promise<void> {
    while (!condition(this.session)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  complete(): Promise<void> {
    return this.until(({ collector, list }) => collector.state.kind === 'complete' && list.state.kind === 'complete');
  }

  listed(): Found[] {
    const { list } = this.session;
    return Array.from({ length: list.length }, (_, index) => list.at(index)!).map(({ offset, length }) => ({
      offset,
      length,
    }));
  }

  async go(direction: Direction, from: number, inclusive = false): Promise<Found | undefined> {
    const before = this.arrived.length;
    this.session.go(direction, from, inclusive);
    await this.until(({ step }) => step.kind !== 'looking');
    expect(['found', 'none']).toContain(this.session.step.kind);
    return this.arrived.length > before ? this.arrived.at(-1) : undefined;
  }
}

/** From the origin on, then from the start: the order in which they are found. */
function around(all: readonly Found[], origin: number): Found[] {
  return [...all.filter(({ offset }) => offset >= origin), ...all.filter(({ offset }) => offset < origin)];
}

function neighbour(all: readonly Found[], direction: Direction, from: number): Found | undefined {
  return direction === 'next'
    ? (all.find(({ offset }) => offset > from) ?? all[0])
    : (all.findLast(({ offset }) => offset < from) ?? all.at(-1));
}

const bytes = fc.string({ unit: fc.constantFrom('a', 'a', 'b', 'c'), minLength: 1, maxLength: 90 });
const queries = fc
  .constantFrom('61', '6161', '616261', '61??61', '6?', '/ab+/', '/a+/', '/ba|aa/', '/b.?c/')
  .map(query);

describe('gathering', () => {
  it('finds what a plain search finds, from the cursor on, however often it is stopped, broken and resumed', async () => {
    await fc.assert(
      fc.asyncProperty(
        bytes,
        queries,
        fc.nat(100),
        fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 6 }),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(4),
        async (content, one, at, breaks, step, lag) => {
          const server = new FakeSearch(content);
          server.step = step;
          server.lag = lag;
          const origin = Math.min(at, content.length);
          const left = [...breaks];
          server.trouble = () => left.shift();
          const subject = new Subject(server, one, origin);
          subject.session.start();
          for (let turn = 0; turn <= breaks.length; ++turn) {
            await subject.until(({ collector }) => collector.state.kind !== 'running');
            if (subject.session.collector.state.kind === 'waiting') subject.session.resume();
          }
          await subject.complete();
          const all = around(found(server, one), origin);
          expect(subject.listed()).toEqual(all);
          expect(subject.session.collector.count).toBe(all.length);
          expect(subject.session.collector.scanned).toBe(content.length);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('counts on beyond what it lists, and the pages list the rest', async () => {
    await fc.assert(
      fc.asyncProperty(
        bytes,
        queries,
        fc.nat(100),
        fc.integer({ min: 1, max: 7 }),
        async (content, one, at, capacity) => {
          const server = new FakeSearch(content);
          const origin = Math.min(at, content.length);
          const subject = new Subject(server, one, origin, capacity);
          subject.session.start();
          await subject.complete();
          const all = around(found(server, one), origin);
          expect(subject.session.collector.count).toBe(all.length);
          const pages: Found[][] = [];
          for (;;) {
            pages.push(subject.listed());
            expect(subject.session.skipped).toBe((pages.length - 1) * capacity);
            if (!subject.session.hasNextPage) break;
            expect(subject.listed()).toHaveLength(capacity);
            subject.session.showPage(subject.session.page + 1);
            await subject.complete();
          }
          expect(pages.flat()).toEqual(all);
          for (let page = pages.length - 2; page >= 0; --page) {
            subject.session.showPage(page);
            await subject.complete();
            expect(subject.listed()).toEqual(pages[page]);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('counts on where it was stopped, though there is no room', async () => {
    const server = new FakeSearch('a'.repeat(60));
    const subject = new Subject(server, query('6161'), 0, 10);
    let records = 0;
    server.gate = () => {
      // In the middle of counting.
      if (++records === 20) subject.session.stop();
      return Promise.resolve();
    };
    subject.session.start();
    await subject.until(({ collector }) => collector.state.kind === 'stopped');
    expect(subject.session.collector.count).toBeGreaterThan(10);
    expect(subject.session.collector.count).toBeLessThan(59);
    server.gate = undefined;
    subject.session.resume();
    await subject.complete();
    expect(subject.session.collector.count).toBe(59);
    expect(subject.session.list.length).toBe(10);
    expect(Number(server.asked.at(-1)!.get('offset'))).toBeGreaterThan(10);
  });

  it('ends its request when it is stopped, and asks on from there', async () => {
    const server = new FakeSearch('ab'.repeat(40));
    const subject = new Subject(server, query('6162'));
    let records = 0;
    let stopped: (() => void) | undefined;
    server.gate = () => {
      if (++records < 12) return Promise.resolve();
      subject.session.stop();
      return new Promise((resolve) => (stopped = resolve));
    };
    subject.session.start();
    await subject.until(({ collector }) => collector.state.kind === 'stopped');
    const { count } = subject.session.collector;
    expect(count).toBeGreaterThan(2);
    server.gate = undefined;
    stopped?.();
    subject.session.resume();
    await subject.complete();
    expect(server.asked).toHaveLength(2);
    expect(Number(server.asked[1]!.get('offset'))).toBeGreaterThan(2 * (count - 1));
    expect(subject.listed()).toHaveLength(40);
  });
});

describe('failures', () => {
  it('that pass are tried again when the server asked for it, and nothing is lost', async () => {
    vi.useFakeTimers();
    try {
      const server = new FakeSearch('xaxa');
      const refusals = [problem(429, 'As many scans as run at once are running.', { 'Retry-After': '3' })];
      server.trouble = () => refusals.shift();
      const subject = new Subject(server, query('61'));
      subject.session.start();
      subject.session.go('next', 0, true);
      await subject.until(({ collector }) => collector.state.kind === 'waiting');
      const { state } = subject.session.collector;
      expect(state).toMatchObject({ kind: 'waiting', failure: { kind: 'busy' } });
      await vi.advanceTimersByTimeAsync(2900);
      expect(server.asked).toHaveLength(1);
      await vi.advanceTimersByTimeAsync(200);
      await subject.complete();
      expect(subject.listed()).toHaveLength(2);
      // What was waited for is gone to.
      expect(subject.arrived).toEqual([{ offset: 1, length: 1 }]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('that do not pass are told', async () => {
    const bad = new FakeSearch('aaa');
    bad.trouble = () => problem(400, 'Missing close parenthesis.');
    const refused = new Subject(bad, query('/(/'));
    refused.session.start();
    await refused.until(({ collector }) => collector.state.kind === 'failed');
    expect(refused.session.collector.state).toMatchObject({
      failure: { kind: 'refused', status: 400, message: 'Missing close parenthesis.' },
    });

    for (const change of [
      (server: FakeSearch) => (server.etag = '"two"'),
      (server: FakeSearch) => (server.endStatus = 'stale'),
    ]) {
      const server = new FakeSearch('aaa');
      change(server);
      const subject = new Subject(server, query('61'));
      subject.session.start();
      subject.session.go('next', 0, true);
      await subject.until(({ collector }) => collector.state.kind === 'failed');
      expect(subject.session.collector.state).toMatchObject({ failure: { kind: 'changed' } });
    }

    const disk = new FakeSearch('aaa');
    disk.endStatus = 'failed';
    const subject = new Subject(disk, query('61'));
    subject.session.start();
    await subject.until(({ collector }) => collector.state.kind === 'failed');
    expect(subject.listed()).toHaveLength(3);
  });

  it('of a step are its own, and it may be tried again', async () => {
    const server = new FakeSearch('aabaa');
    server.trouble = (asked) => (asked.get('direction') === 'backward' ? problem(503, 'Later.') : undefined);
    const subject = new Subject(server, query('62'), 1);
    subject.session.go('previous', 2);
    await subject.until(({ step }) => step.kind === 'failed');
    expect(subject.session.step).toMatchObject({ direction: 'previous', failure: { kind: 'busy' } });
    server.trouble = undefined;
    expect(await subject.go('previous', 5)).toEqual({ offset: 2, length: 1 });
  });
});

describe('the next and the previous match', () => {
  it('are those of a plain search, whatever was gathered, listed or not', async () => {
    await fc.assert(
      fc.asyncProperty(
        bytes,
        queries,
        fc.nat(100),
        fc.constantFrom('none', 'some', 'all'),
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.tuple(fc.constantFrom<Direction>('next', 'previous'), fc.nat(100)), { minLength: 1, maxLength: 8 }),
        async (content, one, at, gathered, capacity, steps) => {
          const server = new FakeSearch(content);
          const subject = new Subject(server, one, Math.min(at, content.length), capacity);
          if (gathered === 'some') {
            const stops = [5];
            server.trouble = () => stops.shift();
            subject.session.start();
            await subject.until(({ collector }) => collector.state.kind !== 'running');
            subject.session.stop();
          } else if (gathered === 'all') {
            subject.session.start();
            await subject.complete();
          }
          const all = found(server, one);
          for (const [direction, place] of steps) {
            const from = Math.min(place, content.length - 1);
            expect(await subject.go(direction, from)).toEqual(neighbour(all, direction, from));
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('need no question where they are known', async () => {
    const server = new FakeSearch('xaxxaxxa');
    const subject = new Subject(server, query('61'), 3);
    subject.session.start();
    await subject.complete();
    const asked = server.asked.length;
    expect(await subject.go('next', 4)).toEqual({ offset: 7, length: 1 });
    expect(await subject.go('next', 7)).toEqual({ offset: 1, length: 1 });
    expect(subject.session.step).toMatchObject({ kind: 'found', wrapped: true });
    expect(await subject.go('previous', 4)).toEqual({ offset: 1, length: 1 });
    expect(server.asked).toHaveLength(asked);
  });

  it('end a request as soon as they are found, and a newer step ends an older', async () => {
    const server = new FakeSearch(`${'x'.repeat(50)}a${'x'.repeat(50)}`);
    const subject = new Subject(server, query('61'), 0);
    expect(await subject.go('next', 20)).toEqual({ offset: 50, length: 1 });
    expect(server.left).toBe(1);
    server.gate = () => new Promise(() => undefined);
    subject.session.go('next', 60);
    server.gate = undefined;
    expect(await subject.go('previous', 60)).toEqual({ offset: 50, length: 1 });
    expect(subject.arrived).toHaveLength(2);
  });
});

describe('marks', () => {
  it('are the matches with a byte in the window, known or asked for', async () => {
    await fc.assert(
      fc.asyncProperty(
        bytes,
        queries,
        fc.nat(90),
        fc.integer({ min: 1, max: 30 }),
        fc.nat(100),
        fc.boolean(),
        fc.integer({ min: 1, max: 50 }),
        async (content, one, offset, length, origin, gathered, capacity) => {
          const server = new FakeSearch(content);
          const subject = new Subject(server, one, Math.min(origin, content.length), capacity);
          if (gathered) {
            subject.session.start();
            await subject.complete();
          }
          const window = { offset: Math.min(offset, content.length - 1), length };
          const expected = found(server, one).filter(
            (hit) => hit.offset < window.offset + length && hit.offset + hit.length > window.offset,
          );
          const plain = (hits: readonly Hit[]): Found[] =>
            hits.map((hit) => ({ offset: hit.offset, length: hit.length }));
          const known = subject.session.marks(window);
          if (known) expect(plain(known)).toEqual(expected);
          if (gathered && !subject.session.collector.overflowed) expect(known).toBeDefined();
          const asked = await subject.session.askMarks(window, new AbortController().signal);
          expect(plain(asked)).toEqual(expected);
        },
      ),
      { numRuns: 400 },
    );
  });
});

test('what the server refuses to search for is asked once, whichever way the first step goes', async () => {
  for (const direction of ['next', 'previous'] as const) {
    const server = new FakeSearch('abcabc');
    server.trouble = () => problem(400, 'No expression');
    const subject = new Subject(server, query('/b(/'), 3);
    subject.session.start();
    subject.session.go(direction, 3, true);
    expect(subject.session.undecided).toBe(true);
    await subject.until(({ collector }) => collector.state.kind === 'failed');
    expect(subject.session.undecided).toBe(false);
    expect(subject.session.untaken).toBe(true);
    expect(subject.session.step.kind).toBe('idle');
    expect(server.asked).toHaveLength(1);
  }
});

test('a first step back is answered once the server has begun to search', async () => {
  const server = new FakeSearch('abcabcabc');
  const subject = new Subject(server, query('/b/'), 6);
  subject.session.start();
  expect(await subject.go('previous', 6, true)).toEqual({ offset: 4, length: 1 });
});
