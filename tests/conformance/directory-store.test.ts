import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { hashOf, openDirectoryStore } from '../../src/common/blobs/index.ts';
import { blobStoreConformance } from './blob-store.ts';

const folders: string[] = [];
async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'solyx-blobs-'));
  folders.push(made);
  return made;
}
afterAll(async () => {
  for (const made of folders) await rm(made, { recursive: true, force: true });
});

blobStoreConformance('a directory', async () => {
  const directory = await folder();
  return { store: await openDirectoryStore(directory), reopen: () => openDirectoryStore(directory) };
});

describe('a directory of blobs', () => {
  it('leaves no half blob where a reader could find it, and clears what a crash left a day ago', async () => {
    const directory = await folder();
    await openDirectoryStore(directory);
    const half = join(directory, 'incoming', 'half');
    await writeFile(half, 'half of a bl');
    const yesterday = new Date(Date.now() - 90_000_000);
    await utimes(half, yesterday, yesterday);
    await writeFile(join(directory, 'incoming', 'being-written'), 'by another process');
    const store = await openDirectoryStore(directory);
    for await (const blob of store.list()) expect.unreachable(blob.hash);
    expect(await readdir(join(directory, 'incoming'))).toEqual(['being-written']);
  });

  it('puts blobs where their hash says', async () => {
    const directory = await folder();
    const hash = hashOf(Buffer.from('x'));
    await (await openDirectoryStore(directory)).put(Buffer.from('x'), hash);
    expect(await readdir(join(directory, hash.slice(0, 2), hash.slice(2, 4)))).toEqual([hash]);
  });
});
