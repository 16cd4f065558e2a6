import { describe, expect, test } from 'vitest';
import { Api, ReadFailure } from '../src/core/api';
import { ExtentMap, readExtents } from '../src/core/extents';
import { askNextData, askPreviousData } from '../src/core/find_data';
import { scan, type ScanRecord } from '../src/core/scan';
import { problem } from './fake_server';

const version = { path: 'a%26b.img', size: 1000, etag: '"one"' };
const begin = { type: 'begin', etag: '"one"' };
const end = { type: 'end', status: 'complete', scanned: 1000 };

function answering(lines: readonly object[], asked: string[] = []): Api {
  return new Api((address) => {
    asked.push(address);
    return Promise.resolve(new Response(lines.map((line) => `${JSON.stringify(line)}\n`).join('')));
  });
}

async function all(api: Api, fields = {}): Promise<ScanRecord[]> {
  const found: ScanRecord[] = [];
  for await (const record of scan(api, 'digest', version, fields, new AbortController().signal)) found.push(record);
  return found;
}

const failing = async (api: Api): Promise<ReadFailure> => {
  const error: unknown = await all(api).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ReadFailure);
  return error as ReadFailure;
};

describe('a scan', () => {
  test('asks with its parameters and gives all but the beginning', async () => {
    const asked: string[] = [];
    const result = { type: 'result', digest: 'ab' };
    const found = await all(answering([begin, result, end], asked), { offset: 2 ** 41, algorithm: 'sha-1' });
    expect(found.map(({ type }) => type)).toEqual(['result', 'end']);
    expect(asked).toEqual([`/digest?file=a%26b.img&offset=${2 ** 41}&algorithm=sha-1`]);
  });

  test('of another version is none', async () => {
    expect((await failing(answering([{ ...begin, etag: '"two"' }, end]))).kind).toBe('changed');
    expect((await failing(answering([begin, { ...end, status: 'stale' }]))).kind).toBe('changed');
  });

  test('that did not come to its end is an error', async () => {
    expect((await failing(answering([begin]))).kind).toBe('unreachable');
    expect((await failing(answering([begin, { ...end, status: 'failed' }]))).kind).toBe('refused');
    expect((await failing(answering([begin, { ...end, status: 'stopped' }]))).kind).toBe('busy');
    expect((await failing(answering([begin, { untyped: true }]))).kind).toBe('refused');
    expect((await failing(new Api(() => Promise.resolve(new Response('<html>'))))).kind).toBe('refused');
  });

  test('tells that the server is busy, and until when', async () => {
    const busy = new Api(() => Promise.resolve(problem(429, 'Too many scans', { 'Retry-After': '3' })));
    const failure = await failing(busy);
    expect([failure.kind, failure.retryAfter, failure.message]).toEqual(['busy', 3000, 'Too many scans']);
  });

  test('aborted by its reader is an abort and no failure', async () => {
    const controller = new AbortController();
    const first = async (): Promise<ScanRecord> =>
      (await scan(answering([begin, end]), 'map', version, {}, controller.signal).next()).value as ScanRecord;
    expect((await first()).type).toBe('end');
    controller.abort();
    await expect(first()).rejects.not.toBeInstanceOf(ReadFailure);
  });
});

/** Answers /extents as the daemon does, for data in these stretches of a file of `size`. */
function sparse(size: number, data: readonly (readonly [number, number])[], asked: string[] = []): Api {
  return new Api((address) => {
    asked.push(address);
    const query = new URL(address, 'http://localhost').searchParams;
    const from = Number(query.get('offset') ?? 0);
    const to = Math.min(size, from + Number(query.get('len') ?? size));
    const lines: object[] = [begin];
    const add = (kind: string, begins: number, ends: number): void => {
      const offset = Math.max(from, begins);
      const length = Math.min(to, ends) - offset;
      if (length > 0) lines.push({ type: 'extent', kind, offset, length });
    };
    let at = 0;
    for (const [begins, ends] of data) {
      add('hole', at, begins);
      add('data', begins, ends);
      at = ends;
    }
    add('hole', at, size);
    lines.push(end);
    return Promise.resolve(new Response(lines.map((line) => `${JSON.stringify(line)}\n`).join('')));
  });
}

describe('extents', () => {
  const size = 2 ** 44;
  const data = [
    [4096, 8192],
    [2 ** 31, 2 ** 31 + 4096],
    [2 ** 40, 2 ** 40 + 2 ** 30],
    [size - 4096, size],
  ] as const;
  const read = async (limit?: number): Promise<ExtentMap> => {
    const extents = new ExtentMap(limit);
    await readExtents(sparse(size, data), version, extents, new AbortController().signal);
    return extents;
  };

  test('holes lie between data, to the byte', async () => {
    const extents = await read();
    expect(extents.knownUntil).toBe(size);
    expect(extents.holeAt(0)).toEqual({ offset: 0, length: 4096 });
    expect(extents.holeAt(4095)).toEqual({ offset: 0, length: 4096 });
    expect(extents.holeAt(4096)).toBeUndefined();
    expect(extents.holeAt(8191)).toBeUndefined();
    expect(extents.holeAt(8192)).toEqual({ offset: 8192, length: 2 ** 31 - 8192 });
    expect(extents.holeAt(size - 4097)?.length).toBe(size - 4096 - 2 ** 40 - 2 ** 30);
    expect(extents.holeAt(size - 1)).toBeUndefined();
    expect(extents.holeAt(size)).toBeUndefined();
  });

  test('next and previous data, known and asked for, are the same', async () => {
    const extents = await read();
    const signal = new AbortController().signal;
    for (const at of [
      0,
      1,
      4095,
      4096,
      5000,
      8192,
      2 ** 31 - 1,
      2 ** 31,
      2 ** 31 + 1,
      2 ** 40 + 2 ** 29,
      2 ** 43,
      size - 1,
    ]) {
      const next = data.find(([begins]) => begins > at)?.[0];
      const previous = data.findLast(([begins]) => begins < at)?.[0];
      expect(extents.nextData(at)?.offset, `next after ${at}`).toBe(next);
      expect(extents.previousData(at)?.offset, `before ${at}`).toBe(previous);
      expect(await askNextData(sparse(size, data), version, at, signal), `asked after ${at}`).toBe(next);
      expect(await askPreviousData(sparse(size, data), version, at, signal), `asked before ${at}`).toBe(previous);
    }
  });

  test('a step back asks for ever longer stretches, not for all', async () => {
    const asked: string[] = [];
    await askPreviousData(sparse(size, data, asked), version, 2 ** 40 + 2 ** 30 + 1, new AbortController().signal);
    expect(asked.length).toBeLessThanOrEqual(5);
    expect(asked[0]).toContain(`len=${2 ** 20}`);
  });

  test('what there is no room for is not known, and not taken for a hole', async () => {
    const extents = await read(2);
    expect(extents.full).toBe(true);
    expect(extents.knownUntil).toBe(2 ** 40);
    expect(extents.holeAt(2 ** 40 - 1)).toBeDefined();
    expect(extents.holeAt(2 ** 40)).toBeUndefined();
    expect(extents.holeAt(2 ** 41)).toBeUndefined();
  });

  test('data within a stretch is cut to it', async () => {
    const extents = await read();
    expect(extents.dataWithin(0, 4096)).toBeUndefined();
    expect(extents.dataWithin(0, 5000)).toEqual({ offset: 4096, length: 904 });
    expect(extents.dataWithin(5000, 6000)).toEqual({ offset: 5000, length: 1000 });
    expect(extents.dataWithin(8192, size)).toEqual({ offset: 2 ** 31, length: 4096 });
  });
});
