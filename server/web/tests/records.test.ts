import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { longestRecord, records } from '../src/core/records';

/** A body of the given chunks; tells whether it was cancelled. */
function bodyOf(chunks: readonly Uint8Array[], endless = false): { response: Response; cancelled: () => boolean } {
  let cancelled = false;
  let at = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (at < chunks.length) controller.enqueue(chunks[at++]);
        else if (!endless) controller.close();
      },
      cancel() {
        cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { response: new Response(body), cancelled: () => cancelled };
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

async function all(response: Response, signal?: AbortSignal): Promise<unknown[]> {
  const out: unknown[] = [];
  for await (const record of records(response, signal)) out.push(record);
  return out;
}

describe('a stream of records', () => {
  it('comes as it was sent, wherever it is cut', async () => {
    const cuts = fc.array(fc.nat(400), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.jsonValue(), { maxLength: 12 }), cuts, async (values, places) => {
        const bytes = bytesOf(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
        const edges = [0, ...places.filter((at) => at < bytes.length).sort((a, b) => a - b), bytes.length];
        const chunks = edges.slice(1).map((edge, index) => bytes.slice(edges[index], edge));
        expect(await all(bodyOf(chunks).response)).toEqual(
          values.map((value) => JSON.parse(JSON.stringify(value)) as unknown),
        );
      }),
    );
  });

  it('may have empty lines, a carriage return, or nothing', async () => {
    expect(await all(bodyOf([bytesOf('\n{"a":1}\r\n\r\n2\n')]).response)).toEqual([{ a: 1 }, 2]);
    expect(await all(bodyOf([]).response)).toEqual([]);
    expect(await all(new Response(null))).toEqual([]);
  });

  it('tells what came before it broke', async () => {
    for (const [text, error] of [
      ['{"a":1}\n{"b"', SyntaxError],
      ['{"a":1}\n{"b":2}', SyntaxError],
      ['{"a":1}\nno\n', SyntaxError],
    ] as const) {
      const seen: unknown[] = [];
      const reading = (async () => {
        for await (const record of records(bodyOf([bytesOf(text)]).response)) seen.push(record);
      })();
      await expect(reading).rejects.toThrow(error);
      expect(seen).toEqual([{ a: 1 }]);
    }
    const endless = bytesOf('x'.repeat(longestRecord / 2 + 1));
    await expect(all(bodyOf([endless, endless]).response)).rejects.toThrow(RangeError);
    await expect(all(bodyOf([Uint8Array.of(0xff, 10)]).response)).rejects.toThrow(TypeError);
  });

  it('ends the request when nobody reads on', async () => {
    const left = bodyOf([bytesOf('1\n2\n3\n')], true);
    for await (const record of records(left.response)) if (record === 2) break;
    expect(left.cancelled()).toBe(true);

    const aborted = bodyOf([bytesOf('1\n2\n3\n')], true);
    const controller = new AbortController();
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const record of records(aborted.response, controller.signal)) {
        seen.push(record);
        if (record === 2) controller.abort();
      }
    })();
    await expect(reading).rejects.toThrow('aborted');
    expect(seen).toEqual([1, 2]);
    expect(aborted.cancelled()).toBe(true);
  });
});
