/** Images on their way to a node's disk: from registries and archives, with everything that can go wrong on it. */
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CONTAINER_FAILPOINTS } from '../../../../src/common/failpoints.ts';
import type { ControlPlane } from '../../../../src/metapod/agent/control-plane.ts';
import { NodeImages } from '../../../../src/metapod/agent/images/node-images.ts';
import type { RegistryCredentials } from '../../../../src/metapod/agent/images/source.ts';
import { type FakeRegistry, startRegistry } from '../../../fakes/registry.ts';
import { type ImageOptions, makeImage, ociArchive, type TarEntry, tarOf } from '../../../support/oci-image.ts';
import { until } from '../../../support/until.ts';

const files: TarEntry[] = [
  { path: 'etc', type: 'Directory' },
  { path: 'etc/hello', content: 'hello' },
  { path: 'large', content: Buffer.alloc(3 * 2 ** 20, 'x') },
];
const small = (content: string, options: ImageOptions = {}) =>
  makeImage({ layers: [[{ path: 'f', content }]], config: { Cmd: [content] }, ...options });

let home: string;
let registry: FakeRegistry;
const closing: (() => Promise<void>)[] = [];

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'solyx-test-pull-'));
  registry = await startRegistry();
  closing.push(() => registry.close());
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  rmSync(home, { recursive: true, force: true });
});

interface Wishes {
  readonly uploads?: ReadonlyMap<string, Buffer>;
  readonly inUse?: () => ReadonlySet<string>;
  readonly mostBytes?: number;
  readonly pullSeconds?: number;
  readonly insecure?: readonly string[];
}

function nodeImages({ uploads, inUse, mostBytes, pullSeconds, insecure }: Wishes = {}): NodeImages {
  const { Readable } = process.getBuiltinModule('node:stream');
  const get = async (hash: string) => {
    const bytes = uploads?.get(hash);
    return bytes === undefined ? undefined : Readable.from([bytes]);
  };
  return new NodeImages(
    home,
    {
      folders: [join(home, 'allowed')],
      insecureRegistries: insecure ?? [registry.host],
      mostBytes: mostBytes ?? 2 ** 30,
      pullSeconds: pullSeconds ?? 30,
    },
    {
      controlPlane: { get } as Pick<ControlPlane, 'get'> as ControlPlane,
      ids: null,
      nodeBinary: process.execPath,
      inUse: inUse ?? (() => new Set()),
    },
  );
}

async function take(
  images: NodeImages,
  name: string,
  credentials: RegistryCredentials | null = null,
  signal = new AbortController().signal,
) {
  const said: string[] = [];
  const { image, release } = await images.take(
    name,
    async () => credentials,
    (words) => said.push(words),
    signal,
  );
  release();
  return { image, said, read: (path: string) => readFileSync(join(image.rootfs, path), 'utf8') };
}

const inStore = () => readdirSync(join(home, 'images')).filter((name) => name !== 'incoming');
const leftIncoming = () =>
  existsSync(join(home, 'images/incoming')) ? readdirSync(join(home, 'images/incoming')) : [];

describe('an image from a registry', () => {
  it('is downloaded, proved, unpacked, and says how far it is', async () => {
    registry.put(
      'team/app',
      'v1',
      makeImage({
        layers: [files, [{ path: 'etc/.wh.hello' }, { path: 'etc/new', content: 'new' }]],
        config: { Cmd: ['run'], User: '1000' },
      }),
    );
    const { image, said, read } = await take(nodeImages(), `${registry.host}/team/app:v1`);
    expect(read('etc/new')).toBe('new');
    expect(existsSync(join(image.rootfs, 'etc/hello'))).toBe(false);
    expect(existsSync(join(image.rootfs, 'work'))).toBe(true);
    expect(image.config).toMatchObject({ cmd: ['run'], user: '1000' });
    expect(said.some((words) => /downloading the image: [\d.]+ of [\d.]+ MiB/.test(words))).toBe(true);
    expect(said.some((words) => words.startsWith('unpacking'))).toBe(true);
    expect(leftIncoming()).toEqual([]);
  });

  it('is there at once the second time, and anew when the tag means another', async () => {
    const images = nodeImages();
    registry.put('app', 'latest', small('one'));
    await take(images, `${registry.host}/app`);
    registry.asked.length = 0;
    expect((await take(images, `${registry.host}/app`)).read('f')).toBe('one');
    expect(registry.asked.filter((path) => path.includes('/blobs/'))).toEqual([]);
    registry.put('app', 'latest', small('two'));
    expect((await take(images, `${registry.host}/app`)).read('f')).toBe('two');
  });

  it('is brought once, however many wait for it', async () => {
    registry.put('app', 'v1', makeImage({ layers: [files] }));
    const images = nodeImages();
    const all = await Promise.all(Array.from({ length: 5 }, () => take(images, `${registry.host}/app:v1`)));
    expect(new Set(all.map(({ image }) => image.key)).size).toBe(1);
    const blobs = registry.asked.filter((path) => path.includes('/blobs/'));
    expect(blobs).toHaveLength(new Set(blobs).size);
  });

  it('is chosen for this machine where there is one for each', async () => {
    const [other, mine] = [small('other', { architecture: 'riscv64' }), small('mine')];
    const architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch as string] ?? process.arch;
    const index = Buffer.from(
      JSON.stringify({
        manifests: [other, mine].map((image, at) => ({
          digest: image.digest,
          size: image.manifest.length,
          platform: { os: 'linux', architecture: at === 0 ? 'riscv64' : architecture },
        })),
      }),
    );
    registry.put('app', 'other', other);
    registry.put('app', 'mine', mine);
    registry.put('app', 'both', { blobs: new Map(), manifest: index, digest: '' });
    expect((await take(nodeImages(), `${registry.host}/app:both`)).read('f')).toBe('mine');
    await expect(take(nodeImages(), `${registry.host}/app:other`)).rejects.toThrow(
      /image_invalid: it is for linux\/riscv64/,
    );
  });

  it.each(['bearer', 'basic'] as const)(
    'that is private is had with credentials, by %s, and they are nowhere on disk',
    async (scheme) => {
      const locked = await startRegistry({ credentials: 'anna:hunter2-secret', scheme });
      closing.push(() => locked.close());
      locked.put('app', 'v1', small('private'));
      const name = `${locked.host}/app:v1`;
      const images = nodeImages({ insecure: [locked.host] });
      await expect(take(images, name)).rejects.toThrow(/image_unauthorised.*imageCredentials/);
      const wrong = { username: 'anna', password: 'wrong' };
      await expect(take(images, name, wrong)).rejects.toThrow(/image_unauthorised.*these credentials/);
      const right = { username: 'anna', password: 'hunter2-secret' };
      expect((await take(images, name, right)).read('f')).toBe('private');
      const { execFileSync } = process.getBuiltinModule('node:child_process');
      expect(execFileSync('sh', ['-c', 'grep -rl "hunter2" "$1" || true', 'sh', home], { encoding: 'utf8' })).toBe('');
      // Kept for those whom the registry lets in, and for nobody else: not even while it is away.
      await locked.close();
      await expect(take(images, name)).rejects.toThrow('image_unreachable');
    },
    20_000,
  );

  it('that is not there is not there, and nothing is left of the try', async () => {
    await expect(take(nodeImages(), `${registry.host}/no/such`)).rejects.toThrow(/image_not_found.*no\/such/);
    expect([inStore(), leftIncoming()]).toEqual([[], []]);
  });

  it('goes on where its download broke', async () => {
    const image = makeImage({ layers: [files], compression: 'none' });
    registry.put('app', 'v1', image);
    const ranges: (string | undefined)[] = [];
    let broken = 0;
    registry.disturb = (path, request, response) => {
      if (!path.includes('/blobs/')) return false;
      const bytes = image.blobs.get(path.split('/').at(-1)!)!;
      if (bytes.length < 100_000) return false;
      ranges.push(request.headers.range);
      if (broken >= 2) return false;
      broken += 1;
      const from = Number(/\d+/.exec(request.headers.range ?? '0')![0]);
      response.writeHead(from > 0 ? 206 : 200, { 'content-length': bytes.length - from });
      response.write(bytes.subarray(from, from + 1_000_000), () => response.destroy());
      return true;
    };
    const { read } = await take(nodeImages(), `${registry.host}/app:v1`);
    expect(read('etc/hello')).toBe('hello');
    expect(ranges[0]).toBeUndefined();
    expect(ranges.slice(1).every((range) => /^bytes=\d{5,}-$/.test(range ?? ''))).toBe(true);
  });

  it.each([
    ['holds something else than its hash', (bytes: Buffer) => Buffer.from(bytes).fill(0x20, 0, 4)],
    [
      'is another of the same length',
      (bytes: Buffer) => Buffer.from(bytes.toString('latin1').replace('"Cmd":["x"]', '"Cmd":["y"]'), 'latin1'),
    ],
    ['is longer than it says', (bytes: Buffer) => Buffer.concat([bytes, bytes])],
  ])('whose part %s is refused', async (_, spoil) => {
    const image = small('x');
    registry.put('app', 'v1', image);
    registry.disturb = (path, _request, response) => {
      if (!path.includes('/blobs/')) return false;
      response.end(spoil(image.blobs.get(path.split('/').at(-1)!)!));
      return true;
    };
    await expect(take(nodeImages(), `${registry.host}/app:v1`)).rejects.toThrow('image_invalid');
    expect([inStore(), leftIncoming()]).toEqual([[], []]);
  });

  it.each([
    ['manifest is no JSON', '{'],
    ['manifest is something else', '{"a":1}'],
    ['manifest names no hash', JSON.stringify({ config: { digest: '../../etc', size: 1 }, layers: [] })],
    ['index leads to nothing', JSON.stringify({ manifests: [] })],
  ])('whose %s is refused', async (_, manifest) => {
    registry.put('app', 'v1', { blobs: new Map(), manifest: Buffer.from(manifest), digest: '' });
    await expect(take(nodeImages(), `${registry.host}/app:v1`)).rejects.toThrow('image_invalid');
  });

  it('that comes too slowly is given up, and so is one that nobody wants any more', async () => {
    registry.put('app', 'v1', small('x'));
    registry.disturb = (path) => path.includes('/blobs/');
    await expect(take(nodeImages({ pullSeconds: 1 }), `${registry.host}/app:v1`)).rejects.toThrow(/image_timeout.*1 s/);
    const stop = new AbortController();
    const waiting = take(nodeImages(), `${registry.host}/app:v1`, null, stop.signal);
    const begun = registry.asked.length;
    await until('it is asked for', () => registry.asked.slice(begun).some((path) => path.includes('/blobs/')));
    stop.abort();
    await expect(waiting).rejects.toThrow('image_timeout');
    await until('nothing is left', () => leftIncoming().length === 0);
  }, 20_000);

  it('is the one that the name meant last while the registry is away, if it was for everybody', async () => {
    const images = nodeImages();
    registry.put('app', 'v1', small('known'));
    await take(images, `${registry.host}/app:v1`);
    await registry.close();
    const { read, said } = await take(images, `${registry.host}/app:v1`);
    expect(read('f')).toBe('known');
    expect(said.join()).toContain('meant last');
    await expect(take(images, `${registry.host}/app:v2`)).rejects.toThrow('image_unreachable');
  }, 20_000);

  it("is not looked for on the node's own addresses or without encryption, unless the operator named the registry", async () => {
    const images = nodeImages({ insecure: [] });
    for (const host of [registry.host, 'localhost:1', '169.254.169.254', '[::1]:80', '[::ffff:127.0.0.1]:80']) {
      await expect(take(images, `${host}/app`), host).rejects.toThrow(/image_(not_allowed|invalid)/);
    }
    expect(registry.asked).toEqual([]);
    // Nor by a redirect, nor by the token service that a registry names.
    const trap = await startRegistry();
    closing.push(() => trap.close());
    registry.disturb = (_path, _request, response) => {
      response.writeHead(307, { location: `http://${trap.host}/v2/app/manifests/latest` }).end();
      return true;
    };
    await expect(take(nodeImages(), `${registry.host}/app`)).rejects.toThrow('image_not_allowed');
    registry.disturb = (_path, _request, response) => {
      response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${trap.host}/token"` }).end();
      return true;
    };
    const credentials = { username: 'a', password: 'b' };
    await expect(take(nodeImages(), `${registry.host}/app`, credentials)).rejects.toThrow('image_not_allowed');
    expect(trap.asked).toEqual([]);
  });
});

describe('an image from an archive', () => {
  const sha = 'a'.repeat(64);

  it('that was uploaded is unpacked, once', async () => {
    const images = nodeImages({
      uploads: new Map([[sha, ociArchive(makeImage({ layers: [files], compression: 'zstd' }))]]),
    });
    const { image, read } = await take(images, `oci-archive:sha256:${sha}`);
    expect(read('etc/hello')).toBe('hello');
    expect((await take(images, `oci-archive:sha256:${sha}`)).image.key).toBe(image.key);
    await expect(take(images, `oci-archive:sha256:${'b'.repeat(64)}`)).rejects.toThrow('image_not_found');
  });

  it('may be of "docker save"', async () => {
    const layer = tarOf(files);
    const config = {
      architecture: { x64: 'amd64', arm64: 'arm64' }[process.arch as string],
      os: 'linux',
      config: { Cmd: ['x'] },
    };
    const archive = tarOf([
      { path: 'abc.json', content: JSON.stringify(config) },
      { path: 'layer1/', type: 'Directory' },
      { path: 'layer1/layer.tar', content: layer },
      {
        path: 'manifest.json',
        content: JSON.stringify([{ Config: 'abc.json', RepoTags: ['a:b'], Layers: ['layer1/layer.tar'] }]),
      },
    ]);
    const { image, read } = await take(nodeImages({ uploads: new Map([[sha, archive]]) }), `oci-archive:sha256:${sha}`);
    expect([read('etc/hello'), image.config.cmd]).toEqual(['hello', ['x']]);
  });

  it.each([
    ['no archive', Buffer.from('no archive at all')],
    ['an archive of something else', tarOf([{ path: 'readme', content: 'x' }])],
    ['an archive that climbs', tarOf([{ path: '../../x', content: 'x' }])],
    [
      'an archive whose parts are links out',
      tarOf([{ path: 'index.json', type: 'SymbolicLink', linkpath: '/etc/passwd' }]),
    ],
    [
      'an archive that names what it lacks',
      tarOf([{ path: 'manifest.json', content: '[{"Config":"../../etc/passwd","Layers":[]}]' }]),
    ],
  ])('is refused when it is %s', async (_, bytes) => {
    const images = nodeImages({ uploads: new Map([[sha, bytes]]) });
    await expect(take(images, `oci-archive:sha256:${sha}`)).rejects.toThrow('image_invalid');
    expect([inStore(), leftIncoming()]).toEqual([[], []]);
  });

  it('is refused when there is no room for it, and what is in use is never deleted for it', async () => {
    const large = ociArchive(makeImage({ layers: [files] }));
    registry.put('app', 'v1', small('kept'));
    let used = new Set<string>();
    const images = nodeImages({ uploads: new Map([[sha, large]]), mostBytes: 2 * 2 ** 20, inUse: () => used });
    const { image } = await take(images, `${registry.host}/app:v1`);
    used = new Set([image.key]);
    await expect(take(images, `oci-archive:sha256:${sha}`)).rejects.toThrow('image_too_large');
    expect(inStore()).toEqual([image.key]);
    expect(images.store.collect(0)).toBe(0);
    used = new Set();
    expect(images.store.collect(0)).toBe(1);
    expect(inStore()).toEqual([]);
  });
});

describe('an image of the node', () => {
  it('is copied from where the operator allows it, and from nowhere else', async () => {
    const allowed = join(home, 'allowed');
    mkdirSync(join(allowed, 'root/etc'), { recursive: true });
    writeFileSync(join(allowed, 'root/etc/hello'), 'one');
    symlinkSync('/etc', join(allowed, 'escape'));
    writeFileSync(join(allowed, 'app.tar'), ociArchive(small('archive')));
    const images = nodeImages();
    const first = await take(images, `rootfs:${allowed}/root`);
    expect(first.read('etc/hello')).toBe('one');
    expect((await take(images, `node-archive:${allowed}/app.tar`)).read('f')).toBe('archive');
    writeFileSync(join(allowed, 'root/etc/hello'), 'changed');
    expect((await take(images, `rootfs:${allowed}/root`)).read('etc/hello')).toBe('changed');
    expect(first.read('etc/hello')).toBe('one');
    for (const path of [`${allowed}/escape`, '/etc', home, '/no/such', `${allowed}x`]) {
      await expect(take(images, `rootfs:${path}`), path).rejects.toThrow('image_not_allowed');
    }
    await expect(take(images, `rootfs:${allowed}/none`)).rejects.toThrow('image_not_found');
    await expect(take(images, `node-archive:${allowed}/root`)).rejects.toThrow('image_invalid');
  });
});

describe('an agent that is killed', () => {
  it.each(CONTAINER_FAILPOINTS.filter((name) => name.startsWith('image.')))(
    'at %s leaves an image whole or not at all, and the next one brings it',
    async (name) => {
      registry.put('app', 'v1', small('x'));
      const script = fileURLToPath(new URL('./support/take-image.ts', import.meta.url));
      const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, home, registry.host], {
        env: { ...process.env, SOLYX_FAILPOINTS: name },
        stdio: 'ignore',
      });
      const signal = await new Promise((resolve) => child.once('exit', (_code, by) => resolve(by)));
      expect(signal).toBe('SIGKILL');
      const images = nodeImages();
      expect(leftIncoming()).toEqual([]);
      expect(images.store.list().length).toBe(name === 'image.before-delete' ? 1 : 0);
      expect((await take(images, `${registry.host}/app:v1`)).read('f')).toBe('x');
    },
    20_000,
  );
});
