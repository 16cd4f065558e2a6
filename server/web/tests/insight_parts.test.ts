import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Api } from '../src/core/api';
import { Changes, heritageCapacity } from '../src/core/changes';
import { compareDigest, parseDigest } from '../src/core/digests';
import { cacheCapacity, PageSource, pageSize } from '../src/core/page_source';
import { type FoundString, narrows, StringList } from '../src/core/string_list';
import { type EventStream, FileWatch, firstPause, type WatchEvent } from '../src/core/watch';
import { FakeServer } from './fake_server';

describe('changes', () => {
  test('are the bytes that differ, and all beyond the old end', () => {
    const changes = new Changes(new Map([[2, Uint8Array.of(1, 2, 3, 4)]]), 2 * pageSize + 4);
    const at = (inPage: number): boolean => changes.has(2 * pageSize + inPage, 2, inPage);
    expect([0, 1, 2, 3].map(at)).toEqual([false, false, false, false]);
    changes.compare(2, Uint8Array.of(1, 9, 3, 8, 5));
    expect([0, 1, 2, 3, 4].map(at)).toEqual([false, true, false, true, true]);
    // Read again, it is not compared with what is now marks and no bytes.
    changes.compare(2, Uint8Array.of(1, 9, 3, 8, 5));
    expect([0, 1, 2, 3, 4].map(at)).toEqual([false, true, false, true, true]);
  });

  test('a page that is the same is forgotten', () => {
    const changes = new Changes(new Map([[0, Uint8Array.of(1, 2)]]), 2);
    changes.compare(0, Uint8Array.of(1, 2));
    expect(changes.bytes).toBe(0);
  });

  test('what a source bequeaths is bounded, and the cache of the next one makes room for it', async () => {
    const server = new FakeServer(2 ** 34);
    const api = new Api(server.fetch);
    const before = new PageSource(api, { path: 'a', size: server.size, etag: '"one"' });
    const fill = async (source: PageSource): Promise<void> => {
      for (let page = 0; page < 300; ++page) {
        source.want([page]);
        while (source.state(page).kind !== 'ready') await new Promise((resolve) => setTimeout(resolve));
      }
    };
    await fill(before);
    const changes = before.bequeath();
    expect(changes.bytes).toBe(heritageCapacity);
    before.dispose();
    const after = new PageSource(api, { path: 'a', size: server.size, etag: '"one"' }, changes);
    await fill(after);
    expect(after.cachedBytes).toBeLessThanOrEqual(cacheCapacity);
  });
});

describe('a source that knows holes', () => {
  test('asks for no page that is one, and shows zeros', () => {
    const server = new FakeServer(2 ** 34);
    const source = new PageSource(new Api(server.fetch), { path: 'a', size: server.size, etag: '"one"' });
    const hole = { offset: 100, length: 10 * pageSize };
    source.holes = {
      holeAt: (offset) => (offset >= 100 && offset < 100 + hole.length ? hole : undefined),
      holes: () => [hole],
    };
    source.want([0, 1, 9, 10]);
    // The first and the last page are hole in part.
    expect(server.asked.map(({ range }) => range)).toEqual([
      `bytes=0-${pageSize - 1}`,
      `bytes=${10 * pageSize}-${11 * pageSize - 1}`,
    ]);
    expect(source.state(1)).toEqual({ kind: 'ready' });
    const bytes = new Int16Array(4);
    source.peek(pageSize - 2, bytes);
    expect([...bytes]).toEqual([-1, -1, 0, 0]);
    source.dispose();
  });

  test.each(['gone', 'changed'] as const)(
    'told that the file is %s reads nothing more, and goes on when that is taken back',
    (kind) => {
      const server = new FakeServer(2 ** 34);
      const etag = '"one"';
      const source = new PageSource(new Api(server.fetch), { path: 'a', size: server.size, etag });
      source.outdate(kind, kind);
      source.want([1]);
      expect(server.asked).toHaveLength(0);
      source.revive();
      expect(source.health.kind).toBe('ok');
      expect(server.asked.filter(({ range }) => range !== null)).toHaveLength(1);
      source.dispose();
    },
  );

  test('asks for itself whether a change was rightly taken back', async () => {
    const server = new FakeServer(2 ** 34);
    const source = new PageSource(new Api(server.fetch), { path: 'a', size: server.size, etag: '"another"' });
    source.outdate('changed', 'changed');
    source.revive();
    await vi.waitFor(() => expect(source.health.kind).toBe('changed'));
    source.dispose();
  });
});

describe('a digest from elsewhere', () => {
  const bytes = createHash('sha256').update('abc');
  const hash = bytes.digest();
  const hex = hash.toString('hex');

  test.each([
    hex,
    hex.toUpperCase(),
    ` ${hex}\n`,
    `sha256:${hex}`,
    `${hex}  disk image.bin`,
    `${hex} *deadbeef.bin`,
    `SHA256 (cafe.bin) = ${hex}`,
    hex.replace(/..(?=.)/g, '$&:'),
    `0x${hex}`,
    hash.toString('base64'),
    `sha-256=:${hash.toString('base64')}:`,
  ])('is read from %s', (text) => {
    expect(parseDigest(text, 64)).toBe(hex);
    expect(compareDigest(hex, text).kind).toBe('same');
    expect(compareDigest(`0${hex.slice(1)}`, text).kind).toBe(hex.startsWith('0') ? 'same' : 'different');
  });

  test('of another algorithm is named', () => {
    const md5 = createHash('md5').update('abc').digest('hex');
    expect(compareDigest(hex, md5)).toEqual({ kind: 'other', fits: ['MD5'] });
    expect(compareDigest(hex, 'no digest at all')).toEqual({ kind: 'other', fits: [] });
    expect(compareDigest('36401fb4', '0x36401FB4').kind).toBe('same');
  });
});

describe('the list of strings', () => {
  const string = (offset: number, text: string, encoding = 'ascii'): FoundString => ({
    offset,
    length: text.length * (encoding === 'ascii' ? 1 : 2),
    encoding,
    text,
    truncated: false,
  });

  test('keeps what passes, no more than its limit, and knows where to go on', () => {
    const list = new StringList({ text: 'OR', kind: 'ascii' }, 100, 2);
    expect(list.add(string(110, 'word'))).toBe(true);
    expect(list.add(string(120, 'other'))).toBe(true);
    expect(list.add(string(130, 'word', 'utf-16le'))).toBe(true);
    expect([list.found.length, list.seen, list.full]).toEqual([1, 3, false]);
    expect(list.add(string(200, 'more'))).toBe(true);
    expect(list.full).toBe(true);
    expect(list.add(string(300, 'lord'))).toBe(false);
    // What was refused comes again; nothing that was taken does.
    expect(list.resumeAt(2 ** 40)).toBe(204);
  });

  test('goes on behind what was scanned without strings, a little back', () => {
    const list = new StringList({ text: '', kind: 'all' }, 0);
    list.add(string(10, 'word'));
    expect(list.resumeAt(100)).toBe(14);
    expect(list.resumeAt(2 ** 41)).toBe(2 ** 41 - 4096);
  });

  test('a filter that lets through less needs no new search', () => {
    expect(narrows({ text: 'Passwords', kind: 'ascii' }, { text: 'word', kind: 'all' })).toBe(true);
    expect(narrows({ text: 'wor', kind: 'all' }, { text: 'word', kind: 'all' })).toBe(false);
    expect(narrows({ text: 'word', kind: 'all' }, { text: 'word', kind: 'ascii' })).toBe(false);
  });
});

class FakeStream implements EventStream {
  readyState = 0;
  closed = false;
  readonly #listeners = new Map<string, ((event: MessageEvent<unknown>) => void)[]>();
  addEventListener(type: string, listener: (event: MessageEvent<unknown>) => void): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }
  close(): void {
    this.closed = true;
  }
  tell(type: string, data?: unknown): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(new MessageEvent(type, { data }));
  }
}

describe('watching', () => {
  let streams: FakeStream[];
  let told: WatchEvent[];
  let watch: FileWatch;
  beforeEach(() => {
    vi.useFakeTimers();
    streams = [];
    told = [];
    watch = new FileWatch(
      '/watch?file=a',
      (event) => told.push(event),
      () => {
        const stream = new FakeStream();
        streams.push(stream);
        return stream;
      },
    );
  });
  afterEach(() => {
    watch.stop();
    vi.useRealTimers();
  });

  test('tells versions and that the file is gone', () => {
    watch.start();
    watch.start();
    expect(streams).toHaveLength(1);
    expect(watch.connected).toBe(false);
    streams[0]!.tell('version', '{"size":1,"etag":"\\"a\\""}');
    expect(watch.connected).toBe(true);
    streams[0]!.tell('change', '{"size":2,"etag":"\\"b\\"","more":true}');
    streams[0]!.tell('change', 'no JSON');
    streams[0]!.tell('gone', '{}');
    expect(told).toEqual([
      { kind: 'version', state: { size: 1, etag: '"a"' } },
      { kind: 'version', state: { size: 2, etag: '"b"' } },
      { kind: 'gone' },
    ]);
  });

  test('leaves reconnecting to the browser until it gives up, then asks later and later', () => {
    watch.start();
    streams[0]!.tell('error');
    vi.advanceTimersByTime(60_000);
    expect(streams).toHaveLength(1);
    for (let round = 0; round < 3; ++round) {
      streams[round]!.readyState = 2;
      streams[round]!.tell('error');
      vi.advanceTimersByTime(firstPause * 2 ** round - 1);
      expect(streams).toHaveLength(round + 1);
      vi.advanceTimersByTime(1);
      expect(streams).toHaveLength(round + 2);
    }
    // A connection that tells something begins anew.
    streams[3]!.tell('version', '{"size":1,"etag":"a"}');
    streams[3]!.readyState = 2;
    streams[3]!.tell('error');
    expect(watch.connected).toBe(false);
    vi.advanceTimersByTime(firstPause);
    expect(streams).toHaveLength(5);
  });

  test('stopped, it is silent and can be taken up again', () => {
    watch.start();
    watch.stop();
    expect(streams[0]!.closed).toBe(true);
    streams[0]!.tell('gone', '{}');
    expect(told).toEqual([]);
    watch.start();
    expect(streams).toHaveLength(2);
    streams[1]!.readyState = 2;
    streams[1]!.tell('error');
    watch.stop();
    vi.advanceTimersByTime(60_000);
    expect(streams).toHaveLength(2);
  });
});
