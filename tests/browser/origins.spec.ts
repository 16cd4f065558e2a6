/** Pages of another origin: what a browser lets them read, and media that seek by ranges. */

import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { byteOf, SparseFile } from './files';
import { expect, networkErrors, test as base } from './fixtures';

interface Fixtures {
  /** The address of an empty page that another server serves. */
  readonly elsewhere: string;
  readonly server: Server;
}

const test = base.extend<Fixtures>({
  // eslint-disable-next-line no-empty-pattern -- Playwright wants a pattern
  server: async ({}, use) => {
    const server = createServer((_, response) => {
      response.setHeader('Content-Type', 'text/html');
      response.end('<!doctype html><title>elsewhere</title><link rel="icon" href="data:,">');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    await use(server);
    server.closeAllConnections();
    server.close();
  },
  elsewhere: async ({ server }, use) => {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  },
  daemonOptions: async ({ elsewhere }, use, testInfo) => {
    await use(testInfo.title.includes('allowed') ? ['--cors-origins', elsewhere] : []);
  },
});

test('a page of an allowed origin reads ranges, asks conditions and sees the fields it needs', async ({
  folder,
  page,
  daemon,
  elsewhere,
  expectedErrors,
}) => {
  // A 412, and the field that is not allowed.
  expectedErrors.push(networkErrors, /CORS/);
  const file = new SparseFile(join(folder, 'disk.img'));
  await page.goto(elsewhere);
  const client = await page.context().newCDPSession(page);
  await client.send('Network.enable');
  const preflights: string[] = [];
  client.on('Network.requestWillBeSent', ({ request, type }) => {
    if (type === 'Preflight' || request.method === 'OPTIONS') preflights.push(request.method);
  });
  const read = (headers: Record<string, string>) =>
    page.evaluate(
      async ([address, fields]) => {
        const response = await fetch(address, {
          headers: fields,
          cache: 'no-store',
        });
        const names = ['Content-Range', 'Accept-Ranges', 'Content-Length', 'ETag', 'Last-Modified'];
        return {
          status: response.status,
          fields: Object.fromEntries(names.map((name) => [name, response.headers.get(name)])),
          bytes: [...new Uint8Array(await response.arrayBuffer())],
        };
      },
      [`${daemon.address}/files/disk.img`, headers] as const,
    );
  const first = await read({ Range: `bytes=${2 ** 40}-${2 ** 40 + 9}` });
  expect(first.status).toBe(206);
  expect(first.bytes).toEqual(file.bytes(2 ** 40, 10));
  expect(first.fields['Content-Range']).toBe(`bytes ${2 ** 40}-${2 ** 40 + 9}/${file.size}`);
  expect(first.fields['Accept-Ranges']).toBe('bytes');
  expect(first.fields['Content-Length']).toBe('10');
  expect(first.fields['Last-Modified']).not.toBeNull();
  const etag = first.fields['ETag']!;
  expect(etag).toMatch(/^".+"$/);

  // These fields are not on the list that needs no question: each must be preflighted, and allowed.
  const whole = { Range: 'bytes=-5', 'If-Range': etag };
  expect((await read(whole)).bytes).toEqual(file.bytes(file.size - 5, 5));
  expect((await read({ 'If-None-Match': etag })).status).toBe(304);
  expect((await read({ Range: 'bytes=0-4', 'If-Match': '"another"' })).status).toBe(412);
  expect((await read({ Range: 'bytes=0-1,4-5' })).status).toBe(206);
  expect(preflights.length).toBeGreaterThanOrEqual(1);

  const info = await page.evaluate(
    async (address) => (await (await fetch(address)).json()) as { size: number },
    `${daemon.address}/info?file=disk.img`,
  );
  expect(info.size).toBe(file.size);
  // A field that the daemon does not allow stops at the preflight.
  const refused = await page.evaluate(
    (address) =>
      fetch(address, { headers: { 'X-Other': '1' } }).then(
        () => 'read',
        () => 'refused',
      ),
    `${daemon.address}/files/disk.img`,
  );
  expect(refused).toBe('refused');
});

test('a page of any other origin reads nothing', async ({ folder, page, daemon, elsewhere, expectedErrors }) => {
  expectedErrors.push(networkErrors, /CORS/);
  new SparseFile(join(folder, 'disk.img'));
  await page.goto(elsewhere);
  for (const path of ['/files/disk.img', '/bytes?file=disk.img&len=4', '/info?file=disk.img', '/files/']) {
    const outcome = await page.evaluate(
      (address) =>
        fetch(address, { headers: { Range: 'bytes=0-3' } }).then(
          () => 'read',
          () => 'refused',
        ),
      daemon.address + path,
    );
    expect(outcome, path).toBe('refused');
  }
});

test('a video element plays and seeks in a recording of hours', async ({ folder, page, daemon, elsewhere }) => {
  // PCM, 8 bits, 8 kHz: a second is 8,000 bytes, so the place in the file follows from the time.
  const seconds = 30 * 3600;
  const data = seconds * 8000;
  const header = Buffer.alloc(44);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(36 + data, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(8000, 24);
  header.writeUInt32LE(8000, 28);
  header.writeUInt16LE(1, 32);
  header.writeUInt16LE(8, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(data, 40);
  const descriptor = openSync(join(folder, 'tape.wav'), 'w');
  ftruncateSync(descriptor, 44 + data);
  writeSync(descriptor, header, 0, 44, 0);
  writeSync(
    descriptor,
    Buffer.from(Uint8Array.from({ length: 8000 }, (_, at) => byteOf(at))),
    0,
    8000,
    44 + 20 * 3600 * 8000,
  );
  closeSync(descriptor);

  const ranges: number[] = [];
  const statuses = new Set<number>();
  page.on('response', (response) => {
    if (!response.url().endsWith('.wav')) return;
    statuses.add(response.status());
    ranges.push(Number(/bytes (\d+)-/.exec(response.headers()['content-range'] ?? '')?.[1]));
  });
  await page.goto(elsewhere);
  const played = await page.evaluate(async (address) => {
    const video = document.createElement('video');
    video.muted = true;
    video.preload = 'metadata';
    video.src = address;
    document.body.append(video);
    const event = (name: string): Promise<void> =>
      new Promise((resolve, reject) => {
        video.addEventListener(name, () => resolve(), { once: true });
        video.addEventListener('error', () => reject(new Error(video.error?.message ?? 'error')), { once: true });
      });
    await event('loadedmetadata');
    const places: number[] = [];
    for (const hour of [20, 5, 29.9]) {
      video.currentTime = hour * 3600;
      await event('seeked');
      places.push(video.currentTime / 3600);
    }
    const before = video.currentTime;
    const moving = event('timeupdate');
    await video.play();
    await moving;
    while (video.currentTime === before) await event('timeupdate');
    return { duration: video.duration, places };
  }, `${daemon.address}/files/tape.wav`);
  expect(played.duration).toBeCloseTo(seconds, 0);
  expect(played.places).toEqual([20, 5, 29.9]);
  expect([...statuses]).toEqual([206]);
  // It asked for what it seeks to, not for all that lies before.
  const near = (hour: number): boolean => ranges.some((from) => Math.abs(from - hour * 3600 * 8000) < 16 * 1024 * 1024);
  expect([20, 5, 29.9].map(near), ranges.join(' ')).toEqual([true, true, true]);
});
