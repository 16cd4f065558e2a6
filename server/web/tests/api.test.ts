import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Api, ReadFailure, silenceLimit } from '../src/core/api';
import { broken, contents, FakeServer, problem } from './fake_server';

const size = 2 ** 44;

async function failureOf(promise: Promise<unknown>): Promise<ReadFailure> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ReadFailure) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

describe('reading a range', () => {
  const server = new FakeServer(size);
  const api = new Api(server.fetch);
  const version = { path: 'a.img', size, etag: '"one"' };

  beforeEach(() => {
    server.intercept = undefined;
    server.etag = '"one"';
    server.size = size;
    server.asked.length = 0;
  });

  it.each([0, 2 ** 31 - 5, 2 ** 32, 2 ** 40 - 1, size - 10])('gives exactly the bytes at %i', async (offset) => {
    const seen: number[] = [];
    expect(await api.range(version, offset, 10, undefined, (bytes) => seen.push(bytes))).toEqual(contents(offset, 10));
    expect(server.asked[0]).toMatchObject({
      address: '/files/a.img',
      range: `bytes=${offset}-${offset + 9}`,
      ifMatch: '"one"',
    });
    expect(seen.at(-1)).toBe(10);
  });

  it('tells a changed file from a gone one, a busy server and a refusal', async () => {
    server.etag = '"two"';
    expect((await failureOf(api.range(version, 0, 10))).kind).toBe('changed');
    server.etag = '"one"';
    for (const [status, kind] of [
      [404, 'gone'],
      [410, 'gone'],
      [412, 'changed'],
      [416, 'changed'],
      [429, 'busy'],
      [503, 'busy'],
      [500, 'refused'],
      [403, 'refused'],
    ] as const) {
      server.intercept = () => problem(status, `status ${status}`);
      const failure = await failureOf(api.range(version, 0, 10));
      expect(failure.kind).toBe(kind);
      if (kind === 'busy' || kind === 'refused') expect(failure.message).toBe(`status ${status}`);
    }
  });

  it('takes the server at its word on when to come back', async () => {
    server.intercept = () => problem(503, 'No page is free', { 'Retry-After': '3' });
    expect(await failureOf(api.range(version, 0, 10))).toMatchObject({ retryAfter: 3000, message: 'No page is free' });
    server.intercept = () => problem(503, 'No page is free', { 'Retry-After': 'soon' });
    expect((await failureOf(api.range(version, 0, 10))).retryAfter).toBeUndefined();
    server.intercept = () => new Response('<h1>Bad gateway</h1>', { status: 502 });
    expect((await failureOf(api.range(version, 0, 10))).message).toBe('The server answered 502');
  });

  it('shows no byte of an answer that is not the one asked for', async () => {
    const answer = (status: number, headers: Record<string, string>, length: number) => () =>
      new Response(contents(0, length), { status, headers });
    const good = { ETag: '"one"', 'Content-Range': `bytes 0-9/${size}` };
    const cases: [ReturnType<typeof answer>, string][] = [
      [answer(206, { ...good, ETag: '"two"' }, 10), 'changed'],
      [answer(206, { 'Content-Range': good['Content-Range'] }, 10), 'changed'],
      [answer(206, { ...good, 'Content-Range': `bytes 1-10/${size}` }, 10), 'refused'],
      [answer(206, { ...good, 'Content-Range': `bytes 0-9/${size - 1}` }, 10), 'refused'],
      [answer(200, { ETag: '"one"' }, 10), 'refused'],
      [answer(206, good, 11), 'refused'],
      [answer(206, good, 9), 'unreachable'],
    ];
    for (const [intercept, kind] of cases) {
      server.intercept = intercept;
      expect((await failureOf(api.range(version, 0, 10))).kind).toBe(kind);
    }
  });

  it('counts an answer that breaks off, and a refused connection, as a server that cannot be reached', async () => {
    server.intercept = (asked) => broken(asked, size, '"one"', 4);
    expect((await failureOf(api.range(version, 0, 10))).kind).toBe('unreachable');
    server.intercept = () => Promise.reject(new TypeError('Failed to fetch'));
    expect((await failureOf(api.range(version, 0, 10))).kind).toBe('unreachable');
    expect((await failureOf(api.probe(version))).kind).toBe('unreachable');
  });

  it('passes an abort on as an abort', async () => {
    const controller = new AbortController();
    server.hold();
    const reading = api.range(version, 0, 10, controller.signal);
    controller.abort();
    await expect(reading).rejects.toMatchObject({ name: 'AbortError' });
    server.release();
  });
});

describe('silence', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('ends a request after its limit, and not before', async () => {
    const server = new FakeServer(100);
    const api = new Api(server.fetch);
    server.hold();
    const failure = failureOf(api.range({ path: 'a', size: 100, etag: '"one"' }, 0, 10));
    let settled = false;
    void failure.then(() => (settled = true));
    await vi.advanceTimersByTimeAsync(silenceLimit - 1);
    expect(settled).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await failure).toMatchObject({ kind: 'unreachable', message: 'The server does not answer' });
  });

  it('is not counted while bytes come, however slowly', async () => {
    const api = new Api(() => {
      let sent = 0;
      const body = new ReadableStream<Uint8Array>({
        async pull(controller) {
          await new Promise((resolve) => setTimeout(resolve, silenceLimit - 1000));
          controller.enqueue(contents(sent, 1));
          if (++sent === 10) controller.close();
        },
      });
      return Promise.resolve(
        new Response(body, { status: 206, headers: { ETag: '"one"', 'Content-Range': 'bytes 0-9/100' } }),
      );
    });
    const reading = api.range({ path: 'a', size: 100, etag: '"one"' }, 0, 10);
    await vi.advanceTimersByTimeAsync(silenceLimit * 10);
    expect(await reading).toEqual(contents(0, 10));
  });
});

describe('JSON answers', () => {
  const answering = (body: string): Api =>
    new Api(() => Promise.resolve(new Response(body, { headers: { 'Content-Type': 'application/json' } })));

  it('are read', async () => {
    const info = { file: 'a', size: size, etag: '"x"', modified: '2026-11-24T08:00:00Z', media_type: 'text/plain' };
    expect(await answering(JSON.stringify(info)).info('a')).toEqual(info);
    expect(await answering('{"path":"/files/","entries":[],"next":null}').listing('')).toEqual({
      path: '/files/',
      entries: [],
      next: null,
    });
  });

  it('are refused when they cannot be right', async () => {
    expect(await failureOf(answering('<html>').info('a'))).toMatchObject({
      kind: 'refused',
      message: 'The answer is not JSON',
    });
    expect((await failureOf(answering('{}').info('a'))).kind).toBe('refused');
    expect((await failureOf(answering('{"size":9007199254740993,"etag":"x"}').info('a'))).message).toContain('8 PiB');
  });

  it('are asked for under the names that the daemon knows', async () => {
    const server = new FakeServer(10);
    const api = new Api(server.fetch);
    await failureOf(api.info('dir/a%20b'));
    await failureOf(api.listing('dir/', '?after=x'));
    expect(server.asked.map(({ address }) => address)).toEqual(['/info?file=dir/a%20b', '/files/dir/?after=x']);
  });
});

it('tells a directory from what is not there, and from a server that does not answer', async () => {
  const asked: string[] = [];
  const api = new Api((address) => {
    asked.push(address);
    if (address.startsWith('/files/there/')) return Promise.resolve(Response.json({ path: '', entries: [] }));
    if (address.startsWith('/files/not/')) return Promise.resolve(problem(404, 'Not found'));
    return Promise.reject(new TypeError('no network'));
  });
  expect(await api.isDirectory('there')).toBe(true);
  expect(await api.isDirectory('not')).toBe(false);
  expect(await api.isDirectory('away')).toBe(false);
  // One entry is enough to know.
  expect(asked[0]).toBe('/files/there/');
});
