/** The daemon's HTTP interface as the viewer uses it. All answers are checked: nothing is shown that may be of another version. */

export interface FileInfo {
  readonly file: string;
  readonly size: number;
  readonly modified: string;
  readonly etag: string;
  readonly media_type: string;
  readonly description?: string;
  readonly sparse?: boolean;
  readonly allocated?: number;
}

export interface ListingEntry {
  readonly name: string;
  readonly kind: 'file' | 'directory';
  readonly size?: number;
  readonly modified?: string;
  readonly href: string;
}

export interface Listing {
  readonly path: string;
  readonly entries: readonly ListingEntry[];
  /** A link to the entries that follow, relative to the directory. */
  readonly next?: string | null;
}

/**
 * Why a read failed:
 * - `unreachable`: no answer, or one that broke off; worth trying again
 * - `busy`: the server asks to come back (429, 502, 503, 504)
 * - `changed`: the file is another version now
 * - `gone`: there is no such file (any more)
 * - `refused`: anything else the server said, or an answer that cannot be trusted
 */
export type FailureKind = 'unreachable' | 'busy' | 'changed' | 'gone' | 'refused';

export class ReadFailure extends Error {
  override readonly name = 'ReadFailure';

  constructor(
    readonly kind: FailureKind,
    message: string,
    /** What the server asked for with Retry-After, in milliseconds. */
    readonly retryAfter?: number,
    /** The status of the answer, where there was one. */
    readonly status?: number,
  ) {
    super(message);
  }

  get transient(): boolean {
    return this.kind === 'unreachable' || this.kind === 'busy';
  }
}

export type Fetch = (input: string, init: RequestInit) => Promise<Response>;

/** No byte for this long, and a request counts as failed. The daemon's own deadline for a page is shorter. */
export const silenceLimit = 20_000;

/** A watchdog: aborts what it guards unless fed in time. Combines with the caller's own signal. */
class Silence {
  readonly #controller = new AbortController();
  readonly signal: AbortSignal;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    outer: AbortSignal | undefined,
    private readonly limit: number,
  ) {
    this.signal = outer ? AbortSignal.any([outer, this.#controller.signal]) : this.#controller.signal;
    this.feed();
  }

  feed(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(), this.limit);
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  get expired(): boolean {
    return this.#controller.signal.aborted;
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}

/** What the server says of an error, RFC 9457 or not. */
async function problemText(response: Response): Promise<string> {
  try {
    if (response.headers.get('Content-Type')?.startsWith('application/problem+json')) {
      const problem = (await response.json()) as { title?: unknown; detail?: unknown };
      for (const text of [problem.detail, problem.title]) {
        if (typeof text === 'string' && text !== '') return text;
      }
    } else {
      await response.body?.cancel();
    }
  } catch {
    // The status alone has to do.
  }
  return `The server answered ${response.status}`;
}

/** Why an answer that is not ok is not. */
export async function failureOf(response: Response): Promise<ReadFailure> {
  const { status } = response;
  const text = await problemText(response);
  const seconds = Number(response.headers.get('Retry-After') ?? '');
  const retryAfter = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined;
  switch (status) {
    case 404:
    case 410:
      return new ReadFailure('gone', text, undefined, status);
    case 412:
    case 416:
      return new ReadFailure('changed', 'The file has changed', undefined, status);
    case 429:
    case 502:
    case 503:
    case 504:
      return new ReadFailure('busy', text, retryAfter, status);
    default:
      return new ReadFailure('refused', text, undefined, status);
  }
}

export interface Version {
  /** Percent-encoded, as after /files/. */
  readonly path: string;
  readonly size: number;
  readonly etag: string;
}

export class Api {
  readonly #fetch: Fetch;
  readonly #silenceLimit: number;

  constructor(fetchFunction: Fetch = (input, init) => fetch(input, init), limit = silenceLimit) {
    this.#fetch = fetchFunction;
    this.#silenceLimit = limit;
  }

  /** One request, and what `read` makes of its answer: whatever fails is told as a ReadFailure, but for the caller's own abort. */
  async request<T>(
    address: string,
    init: RequestInit,
    signal: AbortSignal | undefined,
    read: (response: Response, silence: Silence) => Promise<T>,
  ): Promise<T> {
    const silence = new Silence(signal, this.#silenceLimit);
    try {
      // no-store: the browser's cache must not hold a second copy of what the page cache bounds.
      const response = await this.#fetch(address, { ...init, signal: silence.signal, cache: 'no-store' });
      silence.feed();
      return await read(response, silence);
    } catch (error) {
      if (error instanceof ReadFailure) throw error;
      if (signal?.aborted) throw error;
      if (silence.expired) throw new ReadFailure('unreachable', 'The server does not answer');
      if (isAbort(error)) throw error;
      throw new ReadFailure('unreachable', 'The server cannot be reached');
    } finally {
      silence.end();
    }
  }

  async #json<T>(address: string, signal: AbortSignal | undefined): Promise<T> {
    return this.request(address, { headers: { Accept: 'application/json' } }, signal, async (response) => {
      if (!response.ok) throw await failureOf(response);
      try {
        return (await response.json()) as T;
      } catch (error) {
        if (error instanceof SyntaxError) throw new ReadFailure('refused', 'The answer is not JSON');
        throw error;
      }
    });
  }

  /** `directory` is '' or ends in a slash; `next` as in the listing before. */
  listing(directory: string, next = '', signal?: AbortSignal): Promise<Listing> {
    return this.#json<Listing>(`/files/${directory}${next}`, signal);
  }

  /** Whether what is no file is a directory. */
  async isDirectory(path: string, signal?: AbortSignal): Promise<boolean> {
    try {
      await this.listing(`${path}/`, '', signal);
      return true;
    } catch {
      return false;
    }
  }

  async info(path: string, signal?: AbortSignal): Promise<FileInfo> {
    const info = await this.#json<FileInfo>(`/info?file=${path}`, signal);
    if (typeof info.size !== 'number' || typeof info.etag !== 'string') {
      throw new ReadFailure('refused', 'The answer lacks a size or an ETag');
    }
    if (!Number.isSafeInteger(info.size)) {
      throw new ReadFailure('refused', 'The file is larger than 8 PiB, the most that a browser can address exactly');
    }
    return info;
  }

  /** The answer to a request for a stream of records, as soon as its header is there; `signal` ends its body, too. */
  stream(address: string, signal: AbortSignal): Promise<Response> {
    return this.request(address, {}, signal, async (response) => {
      if (!response.ok) throw await failureOf(response);
      return response;
    });
  }

  /** Whether the file is still that version. Throws `changed` or `gone` if not. */
  async probe(version: Version, signal?: AbortSignal): Promise<void> {
    await this.request(`/files/${version.path}`, { method: 'HEAD' }, signal, async (response) => {
      if (!response.ok) throw await failureOf(response);
      if (response.headers.get('ETag') !== version.etag) throw new ReadFailure('changed', 'The file has changed');
    });
  }

  /**
   * The bytes from `offset` on, exactly `length` of them, of exactly that version: asked for with If-Match, and the answer's
   * ETag, Content-Range and length are checked against it. `progress` is told the bytes so far.
   */
  async range(
    version: Version,
    offset: number,
    length: number,
    signal?: AbortSignal,
    progress?: (bytes: number) => void,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const last = offset + length - 1;
    const headers = { Range: `bytes=${offset}-${last}`, 'If-Match': version.etag };
    return this.request(`/files/${version.path}`, { headers }, signal, async (response, silence) => {
      if (!response.ok) throw await failureOf(response);
      if (response.headers.get('ETag') !== version.etag) {
        await response.body?.cancel();
        throw new ReadFailure('changed', 'The file has changed');
      }
      if (
        response.status !== 206 ||
        response.headers.get('Content-Range') !== `bytes ${offset}-${last}/${version.size}`
      ) {
        await response.body?.cancel();
        throw new ReadFailure('refused', 'The server answered with another range');
      }
      const out = new Uint8Array(length);
      const reader = response.body!.getReader();
      let filled = 0;
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        silence.feed();
        if (filled + value.length > length) {
          await reader.cancel();
          throw new ReadFailure('refused', 'The server sent more than was asked for');
        }
        out.set(value, filled);
        filled += value.length;
        progress?.(filled);
      }
      if (filled < length) throw new ReadFailure('unreachable', 'The answer broke off');
      return out;
    });
  }
}
