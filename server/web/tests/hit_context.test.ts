import { describe, expect, it } from 'vitest';
import { Api } from '../src/core/api';
import { bytesBefore, bytesFrom, contextSpan, HitContext } from '../src/core/hit_context';
import { contents, FakeServer, problem } from './fake_server';

const size = 2 ** 41;

function subject(server: FakeServer): { context: HitContext; change: () => Promise<void> } {
  let waiting: (() => void)[] = [];
  const context = new HitContext(new Api(server.fetch), { path: 'f', size, etag: server.etag }, () => {
    for (const go of waiting) go();
    waiting = [];
  });
  return { context, change: () => new Promise((resolve) => waiting.push(resolve)) };
}

const hit = (offset: number): { offset: number; length: number } => ({ offset, length: 4 });

describe('the bytes around matches', () => {
  it('are those before, in and after one, as far as there are any', () => {
    expect(contextSpan(hit(100), 1000)).toEqual({ offset: 100 - bytesBefore, length: bytesBefore + bytesFrom });
    expect(contextSpan(hit(3), 1000)).toEqual({ offset: 0, length: 3 + bytesFrom });
    expect(contextSpan(hit(996), 1000)).toEqual({ offset: 996 - bytesBefore, length: bytesBefore + 4 });
  });

  it('are read once, kept for a while, and never without bounds', async () => {
    const server = new FakeServer(size);
    const { context, change } = subject(server);
    for (let round = 0; round < 30; ++round) {
      // Close together, so that one range holds them.
      const hits = Array.from({ length: 40 }, (_, index) => hit(2 ** 40 + round * 100_000 + index * 8));
      context.want(hits);
      await change();
      for (const one of hits) {
        const { offset, length } = contextSpan(one, size);
        expect(context.of(one)).toEqual(contents(offset, length));
      }
      const asked = server.asked.length;
      context.want(hits);
      context.want(hits.slice(3));
      expect(server.asked).toHaveLength(asked);
      expect(context.size).toBeLessThanOrEqual(600);
    }
    context.dispose();
    expect(context.size).toBe(0);
  });

  it('that are not wanted any more are not waited for', async () => {
    const server = new FakeServer(size);
    const { context, change } = subject(server);
    server.hold();
    context.want([hit(100)]);
    expect(server.held).toBe(1);
    context.want([hit(2000)]);
    expect(server.asked[0]!.signal.aborted).toBe(true);
    server.release();
    await change();
    expect(context.of(hit(2000))).toBeDefined();
    expect(context.of(hit(100))).toBeUndefined();
  });

  it('that cannot be read say why, and are tried again', async () => {
    const server = new FakeServer(size);
    const { context, change } = subject(server);
    server.intercept = () => problem(500, 'The disk could not be read');
    context.want([hit(100)]);
    await change();
    expect(context.failure?.message).toBe('The disk could not be read');
    server.intercept = undefined;
    context.retry([hit(100)]);
    await change();
    expect(context.failure).toBeUndefined();
    expect(context.of(hit(100))).toBeDefined();
  });
});
