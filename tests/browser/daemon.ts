/** The daemon under test, one for each test that wants it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

const binary = process.env['RANGED_BINARY'];

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

export class Daemon {
  #child: ChildProcess | undefined;
  #errors = '';

  private constructor(
    readonly root: string,
    readonly port: number,
    private readonly options: readonly string[],
  ) {}

  static async start(root: string, options: readonly string[] = []): Promise<Daemon> {
    const daemon = new Daemon(root, await freePort(), options);
    await daemon.run();
    return daemon;
  }

  get address(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts it, or starts it again on the same port, and waits until it is ready. */
  async run(): Promise<void> {
    if (binary === undefined || binary === '') throw new Error('RANGED_BINARY must name the daemon');
    const listening = ['--listen', `127.0.0.1:${this.port}`, '--log-level', 'warning'];
    const child = spawn(binary, [...listening, ...this.options, this.root], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    child.stderr.on('data', (data: Buffer) => (this.#errors += data.toString()));
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the daemon ended:\n${this.#errors}`);
      try {
        const response = await fetch(`${this.address}/readyz`);
        if (response.ok) return;
      } catch {
        // Not listening yet. The test's own timeout bounds this.
      }
    }
  }

  /** Ends it at once, as a crash would: its connections break. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
}
