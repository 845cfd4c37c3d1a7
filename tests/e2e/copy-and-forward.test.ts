/** `solyx cp` and `solyx port-forward` with the real product, with hostile names, archives and peers. */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Header, Pax } from 'tar';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditOf, type RawCommand, startCommand, startKeeper } from '../support/job-shell.ts';
import { Product } from '../support/product.ts';
import { until } from '../support/until.ts';

const product = new Product();
const folder = mkdtempSync(join(tmpdir(), 'solyx-copies-'));
let id = '';
let url = '';
beforeAll(async () => {
  url = await product.up();
  id = await startKeeper(product);
}, 120_000);
afterAll(async () => {
  await product.dispose();
  rmSync(folder, { recursive: true, force: true });
}, 150_000);

const sh = (script: string) => product.run(['exec', id, '--', 'sh', '-c', script]);
const cp = (...args: string[]) => product.run(['cp', ...args]);
const here = (...parts: string[]) => join(folder, ...parts);

const strange = ['-rf', 'a b', "it's", '$(id)', 'new\nline', 'ü\u{1F600}', '"quoted"', 'back\\slash', '*'];

describe('cp', () => {
  it('takes a folder in and out as it was: hostile names, bytes, modes, empty folders, links inside', async () => {
    mkdirSync(here('tree/empty'), { recursive: true });
    for (const name of strange) writeFileSync(here('tree', name), `of ${name}`);
    const bytes = randomBytes(3_000_000);
    writeFileSync(here('tree/bytes'), bytes);
    writeFileSync(here('tree/run.sh'), '#!/bin/sh\necho ran\n');
    chmodSync(here('tree/run.sh'), 0o755);
    symlinkSync('bytes', here('tree/link'));

    expect(await cp(here('tree'), `${id}:in`)).toMatchObject({ code: 0 });
    expect((await sh('in/run.sh; readlink in/link; ls -A in | wc -l')).stdout).toBe(
      `ran\nbytes\n${strange.length + 5}\n`,
    );
    expect(await cp(`${id}:in`, here('out'))).toMatchObject({ code: 0 });
    for (const name of strange) expect(readFileSync(here('out', name), 'utf8')).toBe(`of ${name}`);
    expect(readFileSync(here('out/bytes')).equals(bytes)).toBe(true);
    expect(statSync(here('out/run.sh')).mode & 0o700).toBe(0o700);
    expect(readlinkSync(here('out/link'))).toBe('bytes');
    expect(readdirSync(here('out/empty'))).toEqual([]);
  }, 60_000);

  it('takes files of several names both ways, with modes and times of folders, and nothing set-uid', async () => {
    mkdirSync(here('names/sub'), { recursive: true });
    writeFileSync(here('names/a'), 'd\n');
    for (const name of ['b', 'sub/c']) linkSync(here('names/a'), here('names', name));
    writeFileSync(here('names/run'), 'x');
    chmodSync(here('names/run'), 0o6755);
    chmodSync(here('names/sub'), 0o750);
    utimesSync(here('names/sub'), 1_500_000_000, 1_500_000_000);
    expect(await cp(here('names'), `${id}:names`)).toMatchObject({ code: 0 });
    expect((await sh('cd names; cat a b sub/c; stat -c "%a %Y" sub; stat -c %a run')).stdout).toBe(
      'd\nd\nd\n750 1500000000\n755\n',
    );
    await sh('cd names; rm b; ln a b; chmod 6755 run; touch -d @1400000000 sub');
    expect(await cp(`${id}:names`, here('names-back'))).toMatchObject({ code: 0 });
    for (const name of ['a', 'b', 'sub/c']) expect(readFileSync(here('names-back', name), 'utf8')).toBe('d\n');
    const umask = process.umask() & 0o077;
    expect(statSync(here('names-back/run')).mode & 0o7777).toBe(0o755 & ~umask);
    expect(statSync(here('names-back/sub')).mode & 0o7777).toBe(0o750 & ~umask);
    expect(statSync(here('names-back/sub')).mtimeMs).toBe(1_400_000_000_000);
  }, 60_000);

  it('puts a copy under its own name into a folder that exists, and changes only what it brings', async () => {
    await sh('mkdir -p there/tree; echo mine > there/tree/mine; echo old > there/tree/bytes');
    expect((await cp(here('tree'), `${id}:there`)).code).toBe(0);
    expect((await sh('cat there/tree/mine; wc -c < there/tree/bytes')).stdout).toBe('mine\n3000000\n');
    writeFileSync(here('single'), 'one');
    expect((await cp(here('single'), `${id}:there/`)).code).toBe(0);
    expect((await cp(here('single'), `${id}:there/renamed`)).code).toBe(0);
    expect((await sh('cat there/single there/renamed')).stdout).toBe('oneone');
    expect((await cp(`${id}:there/single`, folder)).code).toBe(0);
    expect((await cp(`${id}:/solyx/artifacts`, here('artifacts'))).code).toBe(0);
  }, 60_000);

  it('says what is not there, what may not be read or written and what is no file; nothing is left behind', async () => {
    await sh('mkdir -p locked/folder/in; echo x > locked/file; chmod 0 locked/file locked/folder');
    const cases: [string[], RegExp][] = [
      [[`${id}:nope`, here('x')], /path_not_found.*nope/],
      [[here('single'), `${id}:no/such/folder`], /path_not_found/],
      [[here('single'), `${id}:/usr/x`], /copy_refused.*Read-only/],
      [[here('tree'), `${id}:there/renamed`], /already_exists/],
      [[`${id}:/dev/null`, here('x')], /copy_refused.*neither a file nor a folder/],
      [[`${id}:/etc/shadow`, here('x')], /path_not_found/],
      [[here('nothing'), `${id}:x`], /copy_refused.*ENOENT/],
      [[`${id}:locked/file`, here('x')], /copy_refused.*locked\/file cannot be read by the job itself/],
      [[`${id}:locked/folder`, here('x')], /copy_refused.*locked\/folder cannot be read by the job itself/],
      [[`${id}:locked`, here('x')], /copy_refused.*\.\/(file|folder) cannot be read by the job itself/],
      [[`${id}:there`, here('no/such/folder')], /copy_refused.*There is no folder/],
    ];
    for (const [args, words] of cases) {
      const result = await cp(...args);
      expect(result.code, args.join(' ')).toBe(1);
      expect(result.stderr, args.join(' ')).toMatch(words);
    }
    expect((await cp(here('single'), here('x'))).code).toBe(2);
    expect((await sh('find / -name ".solyx-copy*" 2>/dev/null')).stdout).toBe('');
    expect(readdirSync(folder).filter((name) => name.startsWith('.solyx'))).toEqual([]);
  }, 90_000);

  it('a link to a folder, named as the source, is the folder', async () => {
    mkdirSync(here('real'));
    writeFileSync(here('real/inside'), 'of the folder');
    symlinkSync(here('real'), here('alias'));
    expect((await cp(here('alias'), `${id}:aliased`)).code).toBe(0);
    expect((await sh('cat aliased/inside')).stdout).toBe('of the folder');
  }, 30_000);

  it('a path in the job is resolved in the job: links and dots lead nowhere else', async () => {
    writeFileSync(here('outside'), 'of the host');
    await sh(`ln -s / rootlink; ln -s ${folder} hostlink; ln -s /etc/hostname name`);
    for (const path of [
      '../../../../../../../../etc/shadow',
      `rootlink${folder}/outside`,
      'hostlink/outside',
      `/proc/1/root${folder}/outside`,
    ]) {
      const result = await cp(`${id}:${path}`, here('stolen'));
      expect(result.code, path).toBe(1);
      expect(existsSync(here('stolen'))).toBe(false);
    }
    expect((await cp(here('single'), `${id}:hostlink/planted`)).code).toBe(1);
    expect(existsSync(here('planted'))).toBe(false);
  }, 60_000);

  it('out of a job, links that point elsewhere and special files stay behind, and are named', async () => {
    await sh('mkdir odd; cd odd; echo x > good; ln -s /etc/passwd abs; ln -s ../../x up; mkfifo pipe; ln good hard');
    const result = await cp(`${id}:odd`, here('odd'));
    expect(result.code).toBe(1);
    expect(result.stderr).not.toMatch(/good|hard/);
    for (const name of ['abs', 'up', 'pipe']) expect(result.stderr).toMatch(new RegExp(`left out: \\./${name}`));
    expect(readdirSync(here('odd'))).toEqual(expect.arrayContaining(['good', 'hard']));
    expect(readdirSync(here('odd'))).not.toEqual(expect.arrayContaining(['abs']));
  }, 30_000);

  it('a large file arrives whole, and a copy that breaks off leaves nothing', async () => {
    const bytes = randomBytes(40_000_000);
    writeFileSync(here('large'), bytes);
    expect((await cp(here('large'), `${id}:large`)).code).toBe(0);
    expect((await cp(`${id}:large`, here('large-back'))).code).toBe(0);
    expect(readFileSync(here('large-back')).equals(bytes)).toBe(true);
    // Each wait for the job to take more leaves nothing behind.
    expect(product.log('agent')).not.toContain('MaxListenersExceededWarning');
    const slow = new Readable({ read() {} });
    slow.push(bytes.subarray(0, 5_000_000));
    const giveUp = new AbortController();
    const sent = put('broken', 'file', slow, giveUp.signal);
    await until('it is on its way', async () => (await sh('ls -A')).stdout.includes('.solyx-copy'));
    giveUp.abort();
    await sent.catch(() => {});
    await until('nothing of it is left', async () => !(await sh('ls -A')).stdout.match(/\.solyx-copy|broken/));
  }, 90_000);

  it('more than the job has disk for is refused before it ends the job', async () => {
    const zeros = Readable.from(
      (function* () {
        for (let i = 0; i < 300; i += 1) yield Buffer.alloc(1_000_000);
      })(),
    );
    const { status, body } = await put('too-large', 'file', zeros);
    expect({ status, code: body.code }).toEqual({ status: 422, code: 'copy_refused' });
    expect((await sh('ls -A')).stdout).not.toMatch(/\.solyx-copy|too-large/);
  }, 60_000);
});

/** Sends a body as somebody who does not use our command line. */
async function put(path: string, entry: string, body: Readable, signal?: AbortSignal) {
  const admin = readFileSync(join(product.home, 'admin.key'), 'utf8').trim();
  const response = await fetch(`${url}/v1/jobs/${id}/files?path=${encodeURIComponent(path)}&entry=${entry}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/octet-stream' },
    body: Readable.toWeb(body),
    duplex: 'half',
    ...(signal && { signal }),
  } as unknown as RequestInit);
  return { status: response.status, body: (await response.json()) as { code?: string; detail?: string } };
}

interface Entry {
  readonly path: string;
  readonly type: string;
  readonly linkpath?: string;
  readonly content?: string;
  readonly size?: number;
}

/** An archive, entry by entry as somebody malicious writes it. */
function archive(...entries: Entry[]): Buffer {
  const blocks = entries.flatMap(({ content = '', size, ...entry }) => {
    const header = new Header({ mode: 0o644, size: size ?? content.length, mtime: new Date(0), ...entry } as never);
    header.encode();
    const data = Buffer.alloc(Math.ceil(content.length / 512) * 512);
    data.write(content);
    return [header.block!, data];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

describe('hostile archives', () => {
  const cases: [string, Buffer, RegExp][] = [
    ['a path upwards', archive({ path: '../up', type: 'File', content: 'x' }), /leaves the folder/],
    ['an absolute path', archive({ path: '/tmp/abs', type: 'File', content: 'x' }), /leaves the folder/],
    ['a link upwards', archive({ path: 'l', type: 'SymbolicLink', linkpath: '../..' }), /points out/],
    ['an absolute link', archive({ path: 'l', type: 'SymbolicLink', linkpath: '/etc' }), /points out/],
    ['a hard link', archive({ path: 'l', type: 'Link', linkpath: '/etc/hostname' }), /names no file before it/],
    ['a device', archive({ path: 'd', type: 'BlockDevice' }), /is a BlockDevice/],
    ['a pipe', archive({ path: 'p', type: 'FIFO' }), /is a FIFO/],
    [
      'a path upwards in an extended header',
      Buffer.concat([new Pax({ path: '../pax' } as never).encode(), archive({ path: 'x', type: 'File' })]),
      /leaves the folder/,
    ],
    ['a file that claims to be enormous', archive({ path: 'big', type: 'File', size: 2 ** 40 }), /more than \d+ bytes/],
    ['something compressed', Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0]), /compressed/],
    ['no archive at all', Buffer.from('x'.repeat(2000)), /no tar|damaged/],
    ['nothing', Buffer.alloc(1024), /empty|no tar/],
  ];
  it.each(cases)(
    '%s is refused, and nothing of it appears',
    async (_what, bytes, words) => {
      const { status, body } = await put('hostile', 'folder', Readable.from([bytes]));
      expect(body.detail).toMatch(words);
      expect({ status, code: body.code }).toEqual({ status: 422, code: 'copy_refused' });
      expect((await sh('ls -A / /tmp . | grep -E "hostile|solyx-copy|^up$|^abs$|^pax$"')).stdout).toBe('');
    },
    30_000,
  );
});

describe('port-forward', () => {
  const server = `
    require('http').createServer((q, r) => r.end('from the job: ' + q.url)).listen(6006, '127.0.0.1');
    const net = require('net');
    // Answers only after the other side has ended, and speaks first on another port.
    net.createServer({ allowHalfOpen: true }, (s) => { let n = 0; s.on('data', (d) => (n += d.length)); s.on('end', () => s.end('got ' + n)); }).listen(7007, '::1');
    net.createServer((s) => { s.write('greeting'); s.on('error', () => {}); }).listen(7008, '127.0.0.1');
    net.createServer((s) => { s.write(Buffer.alloc(50e6)); s.on('error', () => {}); }).listen(7009, '127.0.0.1', () => console.log('serving'));`;
  let served: RawCommand;
  let forward: RawCommand;
  let ports: number[] = [];

  beforeAll(async () => {
    served = startCommand(product, ['exec', id, '--', 'node', '-e', server]);
    await until('it serves', () => served.stdout().includes('serving'));
    forward = startCommand(product, ['port-forward', id, '0:6006', '0:7007', '0:7008', '0:7009', '0:9999']);
    await until('all listen', () => forward.stdout().split('\n').length > 5);
    ports = [...forward.stdout().matchAll(/^127\.0\.0\.1:(\d+) -> /gm)].map(([, port]) => Number(port));
  }, 60_000);
  afterAll(() => {
    forward.child.kill('SIGKILL');
    served.child.kill('SIGKILL');
  });

  it('leads to servers on the loopback of a job that has no network, many connections at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) => fetch(`http://127.0.0.1:${ports[0]}/${n}`).then((r) => r.text())),
    );
    expect(answers).toEqual(Array.from({ length: 40 }, (_, n) => `from the job: /${n}`));
  }, 30_000);

  it('keeps the halves of a connection apart', async () => {
    const socket = connect({ port: ports[1]!, host: '127.0.0.1', allowHalfOpen: true });
    socket.end(Buffer.alloc(5_000_000));
    expect((await buffer(socket)).toString()).toBe('got 5000000');
  }, 30_000);

  it('loses nothing of a server that speaks first', async () => {
    for (let n = 0; n < 10; n += 1) {
      const socket = connect({ port: ports[2]!, host: '127.0.0.1' });
      const first = await new Promise<Buffer>((done) => socket.once('data', done));
      expect(first.toString()).toBe('greeting');
      socket.destroy();
    }
  }, 30_000);

  it('a connection that nobody reads holds up no other', async () => {
    const stuck = connect({ port: ports[3]!, host: '127.0.0.1' });
    stuck.pause();
    expect(await (await fetch(`http://127.0.0.1:${ports[0]}/beside`)).text()).toBe('from the job: /beside');
    stuck.destroy();
  }, 30_000);

  it('a port on which nobody listens is told, and closed', async () => {
    const socket = connect({ port: ports[4]!, host: '127.0.0.1' });
    await new Promise((done) => socket.once('error', done).once('close', done));
    await until('it is told', () => forward.stderr().includes('port 9999 of the job'));
  }, 30_000);

  it('listens on loopback only, ends with Ctrl-C, and is in the audit log with ports and bytes', async () => {
    forward.child.kill('SIGINT');
    expect(await forward.ended).toBe(0);
    const ended = await until('the end is written', async () =>
      (await auditOf(product, id)).find(({ action }) => action === 'job.forward.ended'),
    );
    expect(ended.data).toMatchObject({ ports: expect.arrayContaining([6006, 7007, 7008, 7009, 9999]) });
    expect(ended.data.bytesIn as number).toBeGreaterThan(5_000_000);
  }, 30_000);

  it('says which port is taken, and what a port looks like', async () => {
    const taken = connect({ port: Number(new URL(url).port), host: '127.0.0.1' });
    const busy = await product.run(['port-forward', id, `${new URL(url).port}:6006`]);
    taken.destroy();
    expect(busy.stderr).toMatch(/port_in_use/);
    expect((await product.run(['port-forward', id, '70000:1'])).code).toBe(2);
  }, 30_000);
});
