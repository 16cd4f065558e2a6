/** Streams of records, one JSON value on each line (NDJSON), as they come. */

/** A record longer than this is none of the daemon's: the longest holds a few KiB. */
export const longestRecord = 1024 * 1024;

/**
 * One parsed value for each line. Lines may be cut anywhere between two chunks; empty ones are passed over. Ends with the body.
 * Throws SyntaxError where a line is not JSON or the last one has no end, RangeError for a line without bounds, and what the
 * body or the signal breaks off with. Whoever stops early ends the request: the server stops reading.
 */
export async function* records(response: Response, signal?: AbortSignal): AsyncGenerator {
  if (!response.body) return;
  const reader = response.body.getReader();
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  try {
    for (;;) {
      signal?.throwIfAborted();
      const { done, value } = await reader.read();
      if (done) break;
      const text = rest + decoder.decode(value, { stream: true });
      let from = 0;
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
        const line = text.slice(from, end);
        from = end + 1;
        if (line === '' || line === '\r') continue;
        yield JSON.parse(line) as unknown;
        signal?.throwIfAborted();
      }
      rest = text.slice(from);
      if (rest.length > longestRecord) throw new RangeError('A record has no end');
    }
    rest += decoder.decode();
    if (rest.trim() !== '') throw new SyntaxError('The last record broke off');
  } finally {
    // Not awaited: what is cancelled may never answer, and nobody waits for it.
    reader.cancel().catch(() => undefined);
  }
}
