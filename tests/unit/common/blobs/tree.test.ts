import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  hashOf,
  isSafePath,
  parseManifest,
  restoreTree,
  scanTree,
  storeFile,
} from '../../../../src/common/blobs/index.ts';
import { chunkBytes, type Manifest } from '../../../../src/common/contract/agent/protocol.ts';

let home: string;
let source: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'solyx-tree-'));
  source = join(home, 'source');
  await mkdir(source);
});
afterEach(() => rm(home, { recursive: true, force: true }));

class Chunks {
  readonly stored = new Map<string, Buffer>();
  has = async (hash: string) => this.stored.has(hash);
  put = async (content: Uint8Array, hash: string) => this.stored.set(hash, Buffer.from(content));
  get = async (hash: string) => {
    const content = this.stored.get(hash);
    return content === undefined ? undefined : Readable.from([content]);
  };
}

async function store(chunks: Chunks): Promise<Manifest> {
  const files = [];
  for (const file of await scanTree(source)) {
    const stored = await storeFile(source, file, chunks);
    if (stored) files.push({ path: file.path, sizeBytes: file.sizeBytes, mode: file.mode, chunks: stored });
  }
  return { version: 1, files };
}

describe('a folder as blobs', () => {
  it('comes back with content, folders and modes', async () => {
    await mkdir(join(source, 'a', 'b'), { recursive: true });
    await writeFile(join(source, 'a', 'b', 'weights'), randomBytes(1000));
    await writeFile(join(source, 'run.sh'), '#!/bin/sh\n', { mode: 0o755 });
    await writeFile(join(source, 'empty'), '');
    const chunks = new Chunks();
    const target = join(home, 'target');
    await restoreTree(parseManifest(Buffer.from(JSON.stringify(await store(chunks)))), target, chunks);
    expect(await readFile(join(target, 'a', 'b', 'weights'))).toEqual(
      await readFile(join(source, 'a', 'b', 'weights')),
    );
    expect((await stat(join(target, 'run.sh'))).mode & 0o777).toBe(0o755);
    expect(await readFile(join(target, 'empty'), 'utf8')).toBe('');
  });

  it('is cut into chunks, of which equal ones are stored once', async () => {
    await writeFile(join(source, 'big'), Buffer.alloc(2 * chunkBytes + 5));
    const chunks = new Chunks();
    const manifest = await store(chunks);
    expect(manifest.files[0]?.chunks).toHaveLength(3);
    expect(chunks.stored.size).toBe(2);
  });

  it('leaves out links, pipes and sockets, and follows none', async () => {
    await writeFile(join(home, 'secret'), 'of the operator');
    await symlink(join(home, 'secret'), join(source, 'link'));
    await symlink(home, join(source, 'folder-link'));
    execFileSync('mkfifo', [join(source, 'pipe')]);
    await writeFile(join(source, 'file'), 'x');
    expect((await scanTree(source)).map((file) => file.path)).toEqual(['file']);
  });

  it('does not read through a folder that became a link after the scan', async () => {
    await mkdir(join(source, 'inner'));
    await writeFile(join(source, 'inner', 'file'), 'x');
    const [file] = await scanTree(source);
    await rm(join(source, 'inner'), { recursive: true });
    await mkdir(join(home, 'elsewhere'));
    await writeFile(join(home, 'elsewhere', 'file'), 'y');
    await symlink(join(home, 'elsewhere'), join(source, 'inner'));
    expect(await storeFile(source, file!, new Chunks())).toBeUndefined();
  });

  it('gives up on a file that changed since the scan', async () => {
    await writeFile(join(source, 'file'), 'before');
    const [file] = await scanTree(source);
    await writeFile(join(source, 'file'), 'after!');
    expect(await storeFile(source, { ...file!, version: 'other' }, new Chunks())).toBeUndefined();
  });

  it('refuses manifests whose paths leave the folder, come twice, or lie about chunks', async () => {
    const hash = hashOf(Buffer.from('x'));
    const file = (path: string, more = {}) => ({ path, sizeBytes: 1, mode: 0o644, chunks: [hash], ...more });
    const parse = (files: unknown) => parseManifest(Buffer.from(JSON.stringify({ version: 1, files })));
    for (const path of ['/etc/passwd', '../x', 'a/../../x', 'a//b', './a', 'a/.', 'a\0b', '']) {
      expect(() => parse([file(path)]), path).toThrow(/manifest/);
    }
    expect(() => parse([file('a'), file('a')])).toThrow(/twice/);
    expect(() => parse([file('a', { chunks: [] })])).toThrow(/chunks/);
    expect(() => parse([file('a', { mode: 0o4755 })])).toThrow(/manifest/);
    expect(() => parseManifest(Buffer.from('{'))).toThrow(/manifest/);
    await expect(
      restoreTree({ version: 1, files: [file('a'), file('a/b')] }, join(home, 'target'), {
        get: async () => Readable.from([Buffer.from('x')]),
      }),
    ).rejects.toMatchObject({ code: 'manifest_invalid' });
  });

  it('refuses chunks that are missing, of another content or of another length', async () => {
    const hash = hashOf(Buffer.from('x'));
    const manifest = { version: 1 as const, files: [{ path: 'a', sizeBytes: 2, mode: 0o644, chunks: [hash] }] };
    const from = (text: string | undefined) => ({
      get: async () => (text === undefined ? undefined : Readable.from([Buffer.from(text)])),
    });
    await expect(restoreTree(manifest, join(home, '1'), from(undefined))).rejects.toMatchObject({ code: 'not_found' });
    await expect(restoreTree(manifest, join(home, '2'), from('yy'))).rejects.toMatchObject({
      code: 'blob_hash_mismatch',
    });
    await expect(restoreTree(manifest, join(home, '3'), from('x'))).rejects.toMatchObject({ code: 'manifest_invalid' });
    await expect(restoreTree(manifest, join(home, '4'), from('xyz'))).rejects.toMatchObject({ code: 'body_too_large' });
  });

  it('never calls a path safe that resolves outside', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('..', '.', '', 'a', 'b', '/'), { maxLength: 6 }), (parts) => {
        const path = parts.join('/');
        if (isSafePath(path)) expect(join('/root/x', path).startsWith('/root/x/')).toBe(true);
      }),
    );
  });
});
