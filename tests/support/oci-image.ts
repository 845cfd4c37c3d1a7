/**
 * Images for tests, made without a registry: layers as tar archives written entry by entry, so that a test can put
 * anything into them, and the OCI layout around them. The programs inside are Debian's static busybox.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { Header } from 'tar';

export const busybox = '/bin/busybox';
/** Why tests that run something in an image cannot; undefined when they can. */
export const noBusybox = existsSync(busybox) ? undefined : 'busybox-static is not installed';

export interface TarEntry {
  readonly path: string;
  readonly type?: 'File' | 'Directory' | 'SymbolicLink' | 'Link' | 'CharacterDevice';
  readonly content?: string | Buffer;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly linkpath?: string;
}

/** A tar archive, byte for byte as told: paths may climb, links may point anywhere. */
export function tarOf(entries: readonly TarEntry[]): Buffer {
  const blocks = entries.flatMap((entry) => {
    const type = entry.type ?? 'File';
    const content = type === 'File' ? Buffer.from(entry.content ?? '') : Buffer.alloc(0);
    const header = new Header({
      path: entry.path,
      type,
      size: content.length,
      mode: entry.mode ?? (type === 'Directory' ? 0o755 : 0o644),
      uid: entry.uid ?? 0,
      gid: entry.gid ?? 0,
      mtime: new Date(1_700_000_000_000),
      ...(entry.linkpath !== undefined && { linkpath: entry.linkpath }),
    });
    const block = Buffer.alloc(512);
    header.encode(block, 0);
    return [block, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

/** busybox with its usual names, and what a small system has. */
export function busyboxLayer(): TarEntry[] {
  const names = (
    'sh cat ls id sleep ps ip echo grep touch chmod cp rm mkdir dd head tail wc true false env df kill stat ' +
    'readlink seq tr mount unshare chroot nc printf test su setsid find sort sed awk'
  ).split(' ');
  return [
    { path: 'bin', type: 'Directory' },
    { path: 'bin/busybox', content: readFileSync(busybox), mode: 0o755 },
    ...names.map((name): TarEntry => ({ path: `bin/${name}`, type: 'SymbolicLink', linkpath: 'busybox' })),
    { path: 'etc', type: 'Directory' },
    { path: 'etc/passwd', content: 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:app:/home/app:/bin/sh\n' },
    { path: 'etc/group', content: 'root:x:0:\napp:x:1001:\nextra:x:2000:app\n' },
    { path: 'etc/image', content: 'made for a test\n' },
  ];
}

export interface ImageOptions {
  /** The part `config` of the image's configuration: Env, Entrypoint, Cmd, User, WorkingDir. */
  readonly config?: Record<string, unknown>;
  readonly layers?: readonly (readonly TarEntry[])[];
  readonly compression?: 'none' | 'gzip' | 'zstd';
  readonly architecture?: string;
}

export interface ImageBlobs {
  /** By digest. */
  readonly blobs: ReadonlyMap<string, Buffer>;
  readonly manifest: Buffer;
  readonly digest: string;
}

const sha256 = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** The parts of an image: configuration, layers, manifest. */
export function makeImage({ config = {}, layers, compression = 'gzip', architecture }: ImageOptions = {}): ImageBlobs {
  const blobs = new Map<string, Buffer>();
  const keep = (bytes: Buffer) => {
    blobs.set(sha256(bytes), bytes);
    return { digest: sha256(bytes), size: bytes.length };
  };
  const tars = (layers ?? [busyboxLayer()]).map((entries) => tarOf(entries));
  const compress = { none: (bytes: Buffer) => bytes, gzip: gzipSync, zstd: zstdCompressSync }[compression];
  const described = tars.map((tar) => ({
    mediaType: 'application/vnd.oci.image.layer.v1.tar',
    ...keep(compress(tar)),
  }));
  const configuration = {
    architecture: architecture ?? architectures[process.arch] ?? process.arch,
    os: 'linux',
    config,
    rootfs: { type: 'layers', diff_ids: tars.map(sha256) },
  };
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        ...keep(Buffer.from(JSON.stringify(configuration))),
      },
      layers: described,
    }),
  );
  return { blobs, manifest, digest: keep(manifest).digest };
}

/** An OCI archive: the layout as one tar. */
export function ociArchive(image: ImageBlobs): Buffer {
  const index = {
    schemaVersion: 2,
    manifests: [
      { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: image.digest, size: image.manifest.length },
    ],
  };
  return tarOf([
    { path: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    { path: 'index.json', content: JSON.stringify(index) },
    ...[...image.blobs].map(([digest, content]) => ({ path: `blobs/${digest.replace(':', '/')}`, content })),
  ]);
}

export function writeOciArchive(file: string, options?: ImageOptions): void {
  writeFileSync(file, ociArchive(makeImage(options)));
}
