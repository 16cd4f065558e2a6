/** The daemon's /search in memory: the same windows, limits, order and progress, and every way to fail. */

import { Api, type Version } from '../src/core/api';

export interface Found {
  readonly offset: number;
  readonly length: number;
}

/** As the daemon does: a literal wherever it matches, an expression where it overlaps no earlier match. */
export function reference(bytes: string, hex: string | undefined, regex: string | undefined): Found[] {
  const out: Found[] = [];
  if (regex !== undefined) {
    for (const match of bytes.matchAll(new RegExp(regex, 'gs')))
      out.push({ offset: match.index, length: match[0].length });
    return out;
  }
  const pairs = hex!.replace(/\s/g, '').match(/../g)!;
  for (let at = 0; at + pairs.length <= bytes.length; ++at) {
    const here = pairs.every((pair, index) => {
      const byte = bytes
        .charCodeAt(at + index)
        .toString(16)
        .padStart(2, '0');
      return (pair[0] === '?' || pair[0] === byte[0]) && (pair[1] === '?' || pair[1] === byte[1]);
    });
    if (here) out.push({ offset: at, length: pairs.length });
  }
  return out;
}

export class FakeSearch {
  etag = '"one"';
  readonly asked: URLSearchParams[] = [];
  /** Requests that were ended before their end record. */
  left = 0;
  /** Bytes between two records of progress; matches are told up to `lag` behind what was scanned. */
  step = 5;
  lag = 0;
  /** Answers instead, or gives the number of records after which the answer breaks off. */
  trouble: ((asked: URLSearchParams) => Response | number | undefined) | undefined;
  endStatus = 'complete';
  /** Awaited before each record. */
  gate: (() => Promise<void>) | undefined;

  /** One character for each byte. */
  constructor(public bytes: string) {}

  get version(): Version {
    return { path: 'file', size: this.bytes.length, etag: '"one"' };
  }

  readonly api = new Api((address, init) => {
    const fields = new URL(address, 'http://host').searchParams;
    this.asked.push(fields);
    const trouble = this.trouble?.(fields);
    if (trouble instanceof Response) return Promise.resolve(trouble);
    return Promise.resolve(this.#answer(fields, init.signal!, trouble ?? Infinity));
  });

  #answer(fields: URLSearchParams, signal: AbortSignal, breakAfter: number): Response {
    const lines = this.#records(fields);
    let sent = 0;
    let ended = false;
    const body = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          await this.gate?.();
          if (signal.aborted) {
            controller.error(new DOMException('aborted', 'AbortError'));
            return;
          }
          const { done, value } = sent < breakAfter ? lines.next() : { done: true, value: undefined };
          if (!done) {
            ++sent;
            controller.enqueue(new TextEncoder().encode(`${JSON.stringify(value)}\n`));
            return;
          }
          ended = true;
          if (sent >= breakAfter) controller.error(new TypeError('network error'));
          else controller.close();
        },
        cancel: () => {
          if (!ended) ++this.left;
        },
      },
      { highWaterMark: 0 },
    );
    return new Response(body, { headers: { 'Content-Type': 'application/x-ndjson' } });
  }

  *#records(fields: URLSearchParams): Generator<unknown, void> {
    const number = (name: string): number => Number(fields.get(name));
    const offset = number('offset');
    const end = Math.min(this.bytes.length, offset + number('len'));
    const limit = number('limit');
    const window = this.bytes.slice(offset, end);
    const found = reference(window, fields.get('hex') ?? undefined, fields.get('regex') ?? undefined).map((one) => ({
      ...one,
      offset: one.offset + offset,
    }));
    yield { type: 'begin', scan: 'search', etag: this.etag, offset, length: end - offset };
    let told = 0;
    const tell = (index: number): unknown => ({ type: 'match', ...found[index] });
    if (fields.get('direction') === 'backward') {
      for (let index = found.length - 1; index >= 0 && told < limit; --index, ++told) yield tell(index);
    } else {
      for (let scanned = this.step; scanned < window.length; scanned += this.step) {
        const reached = offset + scanned;
        const complete = found.filter((one) => one.offset + one.length <= reached).length;
        while (told < Math.min(limit, complete - this.lag)) yield tell(told++);
        yield {
          type: 'progress',
          scanned,
          total: window.length,
          read: 0,
          bytes_per_second: 1,
          eta_seconds: 1,
          matches: complete,
        };
      }
      while (told < Math.min(limit, found.length)) yield tell(told++);
    }
    const matches = found.length;
    yield {
      type: 'end',
      status: this.endStatus,
      scanned: window.length,
      total: window.length,
      matches,
      limited: matches > limit,
    };
  }
}

export function problem(status: number, detail: string, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify({ type: '/problems/x', title: 'x', status, detail }), {
    status,
    headers: { 'Content-Type': 'application/problem+json', ...headers },
  });
}
