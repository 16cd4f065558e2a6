/** Bytes for copying: what is at hand of them, and the rest past the page cache, so that nothing visible leaves it. */

import { pageSize, type PageSource } from './page_source';
import type { Span } from './view_link';

/** The daemon's largest window, so that each request is answered at once. */
const step = 1024 * 1024;

/** Throws ReadFailure, or AbortError. `progress` is told the bytes so far. */
export async function readSpan(
  source: PageSource,
  { offset, length }: Span,
  signal: AbortSignal,
  progress: (bytes: number) => void,
): Promise<Uint8Array> {
  const out = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const at = offset + done;
    const inPage = new Int16Array(Math.min(pageSize - (at % pageSize), length - done));
    source.peek(at, inPage);
    const part = inPage.includes(-1)
      ? await source.api.range(source.version, at, Math.min(step, length - done), signal)
      : inPage;
    out.set(part, done);
    done += part.length;
    progress(done);
  }
  return out;
}
