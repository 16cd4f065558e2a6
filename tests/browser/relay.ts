/** Stands between the page and the daemon, and lets go of what is searched line by line: so a test stops a search where it wants. */

import { createServer, request as ask, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';

export class Relay {
  readonly #server: Server;
  /** The queries of all searches, as they were asked for. */
  readonly searches: URLSearchParams[] = [];
  /** After which line (a record) an answer waits; for `release` or for the page to leave. */
  holdAfter: ((record: Record<string, unknown>) => boolean) | undefined;
  #release: (() => void)[] = [];
  #left = 0;
  #onLeave: (() => void)[] = [];

  constructor(private readonly daemon: string) {
    this.#server = createServer((request, response) => {
      const target = new URL(request.url!, this.daemon);
      const search = target.pathname === '/search';
      if (search) this.searches.push(target.searchParams);
      const upstream = ask(
        target,
        { method: request.method, headers: { ...request.headers, host: target.host } },
        (answer) => {
          response.writeHead(answer.statusCode!, answer.headers);
          if (search && answer.statusCode === 200) void this.#relay(answer, response);
          else answer.pipe(response);
        },
      );
      upstream.on('error', () => response.destroy());
      response.on('close', () => {
        upstream.destroy();
        if (!search || response.writableFinished) return;
        ++this.#left;
        for (const go of this.#onLeave.splice(0)) go();
      });
      request.pipe(upstream);
    });
  }

  static async start(daemon: string): Promise<Relay> {
    const relay = new Relay(daemon);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  get address(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return `http://127.0.0.1:${address.port}`;
  }

  /** Lets go of what is held, and of all that follows. */
  release(): void {
    this.holdAfter = undefined;
    for (const go of this.#release.splice(0)) go();
  }

  /** Resolves once so many searches were left by the page before they ended. */
  async left(count: number): Promise<void> {
    while (this.#left < count) await new Promise<void>((resolve) => this.#onLeave.push(resolve));
  }

  async close(): Promise<void> {
    this.release();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #relay(answer: AsyncIterable<Buffer>, response: ServerResponse): Promise<void> {
    let rest = '';
    try {
      for await (const data of answer) {
        const lines = (rest + data.toString()).split('\n');
        rest = lines.pop()!;
        for (const line of lines) {
          response.write(`${line}\n`);
          if (this.holdAfter?.(JSON.parse(line) as Record<string, unknown>)) {
            await new Promise<void>((resolve) => {
              this.#release.push(resolve);
              response.once('close', resolve);
            });
          }
          if (response.destroyed) return;
        }
      }
      response.end();
    } catch {
      response.destroy();
    }
  }
}
