/** Server-sent events about one file (/watch), taken up again by itself whatever happens. */

export interface FileState {
  readonly size: number;
  readonly etag: string;
}

export type WatchEvent = { readonly kind: 'version'; readonly state: FileState } | { readonly kind: 'gone' };

/** What is used of EventSource. */
export interface EventStream {
  readonly readyState: number;
  addEventListener: (type: string, listener: (event: MessageEvent<unknown>) => void) => void;
  close: () => void;
}

const closed = 2;
/** Milliseconds. A refusal (429), a file that is gone (404): the browser gives up, and we ask again later and later. */
export const firstPause = 2000;
export const longestPause = 30_000;

export class FileWatch {
  #stream: EventStream | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pause = firstPause;
  #connected = false;

  constructor(
    readonly address: string,
    private readonly told: (event: WatchEvent) => void,
    private readonly open: (address: string) => EventStream = (at) => new EventSource(at),
  ) {}

  /** Whether changes will be told: otherwise somebody else must ask. */
  get connected(): boolean {
    return this.#connected;
  }

  start(): void {
    if (this.#stream || this.#timer !== undefined) return;
    const stream = this.open(this.address);
    this.#stream = stream;
    const heard = (event: MessageEvent<unknown>): void => this.#heard(stream, event);
    stream.addEventListener('version', heard);
    stream.addEventListener('change', heard);
    stream.addEventListener('gone', () => {
      if (stream === this.#stream) this.told({ kind: 'gone' });
    });
    stream.addEventListener('error', () => this.#broke(stream));
  }

  /** Gives up the connection, of which a browser has six for all its tabs. `start` takes it up again. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#connected = false;
    this.#stream?.close();
    this.#stream = undefined;
  }

  #heard(stream: EventStream, { data }: MessageEvent<unknown>): void {
    if (stream !== this.#stream) return;
    const state = parseState(data);
    if (!state) return;
    this.#connected = true;
    this.#pause = firstPause;
    this.told({ kind: 'version', state });
  }

  #broke(stream: EventStream): void {
    if (stream !== this.#stream) return;
    this.#connected = false;
    // Until it is closed, the browser tries again by itself.
    if (stream.readyState !== closed) return;
    this.#stream = undefined;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.start();
    }, this.#pause);
    this.#pause = Math.min(longestPause, this.#pause * 2);
  }
}

function parseState(data: unknown): FileState | undefined {
  try {
    const value: unknown = JSON.parse(String(data));
    if (typeof value !== 'object' || value === null || !('size' in value) || !('etag' in value)) return undefined;
    const { size, etag } = value;
    return typeof size === 'number' && typeof etag === 'string' ? { size, etag } : undefined;
  } catch {
    return undefined;
  }
}
