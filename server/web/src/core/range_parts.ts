/** Several short pieces of a file in one request (RFC 9110, 14.6: multipart/byteranges). */

import { type Api, failureOf, ReadFailure, type Version } from './api';
import type { Span } from './view_link';

/** Pieces that lie closer together are read as one: a part costs about as many bytes of header. */
const cheapGap = 96;
/** The daemon answers 256. */
export const mostPieces = 200;

/** Spans as ascending stretches that hold them all. */
export function stretches(spans: readonly Span[]): Span[] {
  const out: { offset: number; length: number }[] = [];
  for (const { offset, length } of [...spans].sort((a, b) => a.offset - b.offset)) {
    const last = out.at(-1);
    if (last && offset <= last.offset + last.length + cheapGap) {
      last.length = Math.max(last.length, offset + length - last.offset);
    } else {
      out.push({ offset, length });
    }
  }
  return out;
}

const refused = (): ReadFailure => new ReadFailure('refused', 'The server answered with other ranges');

/** The parts of a multipart/byteranges body in the order in which they come. Their lengths are told: the boundary is not needed. */
export function readParts(body: Uint8Array, size: number): { offset: number; bytes: Uint8Array }[] {
  const parts: { offset: number; bytes: Uint8Array }[] = [];
  for (let at = 0; ;) {
    const head = headerEnd(body, at);
    if (head < 0) return parts;
    const fields = new TextDecoder('latin1').decode(body.subarray(at, head));
    const range = /^content-range:\s*bytes (\d+)-(\d+)\/(\d+)\s*$/im.exec(fields);
    if (!range || Number(range[3]) !== size) throw refused();
    const offset = Number(range[1]);
    const length = Number(range[2]) - offset + 1;
    if (!(length > 0) || head + length > body.length) throw refused();
    parts.push({ offset, bytes: body.subarray(head, head + length) });
    at = head + length;
  }
}

/** Just behind the empty line that ends a part's header, -1 if there is none. */
function headerEnd(body: Uint8Array, from: number): number {
  for (let at = body.indexOf(13, from); at >= 0; at = body.indexOf(13, at + 1)) {
    if (body[at + 1] === 10 && body[at + 2] === 13 && body[at + 3] === 10) return at + 4;
  }
  return -1;
}

/** The bytes of each span, of exactly that version. At most `mostPieces`. Throws ReadFailure, or AbortError. */
export async function readSpans(
  api: Api,
  version: Version,
  spans: readonly Span[],
  signal: AbortSignal,
): Promise<Uint8Array[]> {
  const wanted = stretches(spans);
  if (wanted.length === 0) return [];
  const parts =
    wanted.length === 1
      ? [
          {
            offset: wanted[0]!.offset,
            bytes: await api.range(version, wanted[0]!.offset, wanted[0]!.length, signal),
          },
        ]
      : await readSeveral(api, version, wanted, signal);
  return spans.map(({ offset, length }) => {
    const part = parts.find((one) => one.offset <= offset && offset + length <= one.offset + one.bytes.length);
    if (!part) throw refused();
    return part.bytes.slice(offset - part.offset, offset - part.offset + length);
  });
}

function readSeveral(
  api: Api,
  version: Version,
  wanted: readonly Span[],
  signal: AbortSignal,
): Promise<{ offset: number; bytes: Uint8Array }[]> {
  const set = wanted.map(({ offset, length }) => `${offset}-${offset + length - 1}`).join(',');
  const headers = { Range: `bytes=${set}`, 'If-Match': version.etag };
  return api.request(`/files/${version.path}`, { headers }, signal, async (response) => {
    if (!response.ok) throw await failureOf(response);
    const multipart = response.headers.get('Content-Type')?.startsWith('multipart/byteranges');
    if (response.status !== 206 || !multipart || response.headers.get('ETag') !== version.etag) {
      await response.body?.cancel();
      throw response.headers.get('ETag') === version.etag
        ? refused()
        : new ReadFailure('changed', 'The file has changed');
    }
    return readParts(new Uint8Array(await response.arrayBuffer()), version.size);
  });
}
