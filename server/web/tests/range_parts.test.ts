import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Api, ReadFailure } from '../src/core/api';
import { readParts, readSpans, stretches } from '../src/core/range_parts';
import { contents } from './fake_server';

const size = 2 ** 41;

/** A body as RFC 9110 writes it. */
function multipart(spans: readonly { offset: number; length: number }[], boundary: string): Uint8Array<ArrayBuffer> {
  const pieces = spans.flatMap(({ offset, length }) => [
    new TextEncoder().encode(
      `\r\n--${boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes ${offset}-${offset + length - 1}/${size}\r\n\r\n`,
    ),
    contents(offset, length),
  ]);
  pieces.push(new TextEncoder().encode(`\r\n--${boundary}--\r\n`));
  return Uint8Array.from(pieces.flatMap((piece) => [...piece]));
}

const span = fc.record({
  offset: fc.oneof(
    fc.nat(1000),
    fc.nat(1000).map((at) => 2 ** 40 + at),
  ),
  length: fc.integer({ min: 1, max: 40 }),
});

describe('several pieces at once', () => {
  it('are asked for as few stretches that hold them all', () => {
    fc.assert(
      fc.property(fc.array(span, { maxLength: 20 }), (spans) => {
        const wanted = stretches(spans);
        for (const { offset, length } of spans) {
          expect(wanted.some((one) => one.offset <= offset && offset + length <= one.offset + one.length)).toBe(true);
        }
        for (let at = 1; at < wanted.length; ++at) {
          expect(wanted[at]!.offset).toBeGreaterThan(wanted[at - 1]!.offset + wanted[at - 1]!.length);
        }
        expect(wanted.length).toBeLessThanOrEqual(spans.length);
      }),
    );
  });

  it('are read from the parts, whatever their bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(span, { minLength: 1, maxLength: 12 }), async (spans) => {
        const api = new Api((_, init) => {
          const headers = new Headers(init.headers);
          expect(headers.get('If-Match')).toBe('"one"');
          const asked = headers
            .get('Range')!
            .slice('bytes='.length)
            .split(',')
            .map((range) => range.split('-').map(Number) as [number, number])
            .map(([first, last]) => ({ offset: first, length: last - first + 1 }));
          const single = asked.length === 1 ? asked[0]! : undefined;
          return Promise.resolve(
            new Response(single ? contents(single.offset, single.length) : multipart(asked, 'edge'), {
              status: 206,
              headers: {
                ETag: '"one"',
                'Content-Type': single ? 'application/octet-stream' : 'multipart/byteranges; boundary=edge',
                ...(single && {
                  'Content-Range': `bytes ${single.offset}-${single.offset + single.length - 1}/${size}`,
                }),
              },
            }),
          );
        });
        const version = { path: 'f', size, etag: '"one"' };
        const read = await readSpans(api, version, spans, new AbortController().signal);
        expect(read).toEqual(spans.map(({ offset, length }) => contents(offset, length)));
      }),
      { numRuns: 200 },
    );
  });

  it('are refused when they are of another size, or cut off', () => {
    const body = multipart(
      [
        { offset: 5, length: 10 },
        { offset: 500, length: 3 },
      ],
      'b',
    );
    expect(readParts(body, size).map(({ offset }) => offset)).toEqual([5, 500]);
    expect(() => readParts(body, size + 1)).toThrow(ReadFailure);
    for (let length = 0; length < body.length; ++length) {
      // Cut in a part's bytes it throws; cut before them that part is missing. Never are there fewer bytes than told.
      try {
        const parts = readParts(body.subarray(0, length), size);
        for (const { offset, bytes } of parts) expect(bytes).toEqual(contents(offset, offset === 5 ? 10 : 3));
      } catch (error) {
        expect(error).toBeInstanceOf(ReadFailure);
      }
    }
    expect(() => readParts(new TextEncoder().encode('\r\n--b\r\nX: y\r\n\r\nabc'), size)).toThrow(ReadFailure);
    expect(readParts(new Uint8Array(), size)).toEqual([]);
  });
});
