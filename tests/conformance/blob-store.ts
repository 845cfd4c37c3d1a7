/** What every BlobStore must do; run it on each implementation. */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { type BlobStore, hashOf } from '../../src/common/blobs/index.ts';

async function hashesIn(store: BlobStore): Promise<string[]> {
  const hashes: string[] = [];
  for await (const { hash } of store.list()) hashes.push(hash);
  return hashes;
}

/** @param open an empty store; @param reopen the same store as another process would open it */
export function blobStoreConformance(
  name: string,
  open: () => Promise<{ store: BlobStore; reopen: () => Promise<BlobStore> }>,
) {
  describe(`${name} as a blob store`, () => {
    it('gives back what was put, by its hash, also after opening it again', async () => {
      const { store, reopen } = await open();
      const bytes = randomBytes(300_000);
      expect(await store.put(Readable.from([bytes.subarray(0, 7), bytes.subarray(7)]), hashOf(bytes))).toBe(300_000);
      const again = await reopen();
      expect(await again.has(hashOf(bytes))).toBe(true);
      expect(await again.size(hashOf(bytes))).toBe(300_000);
      expect(await buffer((await again.get(hashOf(bytes)))!)).toEqual(bytes);
    });

    it('removes what is older than an instant, and keeps what was put again', async () => {
      const { store, reopen } = await open();
      const bytes = Buffer.from('used once');
      const hash = hashOf(bytes);
      await store.put(bytes, hash);
      expect(await store.deleteUnlessNewer(hash, new Date(Date.now() - 60_000))).toBe(false);
      expect(await (await reopen()).has(hash)).toBe(true);
      expect(await store.deleteUnlessNewer(hash, new Date(Date.now() + 60_000))).toBe(true);
      expect(await store.has(hash)).toBe(false);
      expect(await store.deleteUnlessNewer(hash, new Date())).toBe(false);
    });

    it('keeps an empty blob', async () => {
      const { store } = await open();
      const empty = new Uint8Array();
      await store.put(empty, hashOf(empty));
      expect(await store.size(hashOf(empty))).toBe(0);
      expect(await buffer((await store.get(hashOf(empty)))!)).toHaveLength(0);
    });

    it('refuses bytes that have another hash and keeps nothing of them', async () => {
      const { store } = await open();
      const promised = hashOf(Buffer.from('promised'));
      await expect(store.put(Buffer.from('sent'), promised)).rejects.toMatchObject({ code: 'blob_hash_mismatch' });
      expect(await store.has(promised)).toBe(false);
      expect(await hashesIn(store)).toEqual([]);
    });

    it('verifies the bytes of a blob that it has already', async () => {
      const { store } = await open();
      const bytes = Buffer.from('known');
      await store.put(bytes, hashOf(bytes));
      await expect(store.put(Buffer.from('a guess'), hashOf(bytes))).rejects.toMatchObject({
        code: 'blob_hash_mismatch',
      });
      expect(await buffer((await store.get(hashOf(bytes)))!)).toEqual(bytes);
      expect(await store.put(bytes, hashOf(bytes))).toBe(5);
    });

    it('refuses more bytes than it was told to take', async () => {
      const { store } = await open();
      const bytes = randomBytes(1001);
      await expect(store.put(bytes, hashOf(bytes), { maxBytes: 1000 })).rejects.toMatchObject({
        code: 'body_too_large',
      });
      expect(await store.put(bytes, hashOf(bytes), { maxBytes: 1001 })).toBe(1001);
    });

    it('keeps nothing of a stream that breaks off', async () => {
      const { store } = await open();
      const bytes = randomBytes(1000);
      const broken = Readable.from(
        (async function* () {
          yield bytes.subarray(0, 500);
          throw new Error('the line is dead');
        })(),
      );
      await expect(store.put(broken, hashOf(bytes))).rejects.toThrow('the line is dead');
      expect(await store.has(hashOf(bytes))).toBe(false);
    });

    it('takes the same blob from many at once', async () => {
      const { store } = await open();
      const bytes = randomBytes(100_000);
      await Promise.all(Array.from({ length: 8 }, () => store.put(bytes, hashOf(bytes))));
      expect(await hashesIn(store)).toEqual([hashOf(bytes)]);
      expect(await buffer((await store.get(hashOf(bytes)))!)).toEqual(bytes);
    });

    it('deletes, repeatedly, and lists what is left with size and time', async () => {
      const { store } = await open();
      const [one, two] = [randomBytes(10), randomBytes(20)];
      await store.put(one, hashOf(one));
      await store.put(two, hashOf(two));
      await store.delete(hashOf(one));
      await store.delete(hashOf(one));
      const left = [];
      for await (const blob of store.list()) left.push(blob);
      expect(left).toMatchObject([{ hash: hashOf(two), sizeBytes: 20 }]);
      expect(Math.abs(Date.now() - left[0]!.storedAt.getTime())).toBeLessThan(60_000);
      expect(await store.get(hashOf(one))).toBeUndefined();
    });

    it('knows no blob by a name that is no hash', async () => {
      const { store } = await open();
      for (const name of ['', '../../etc/passwd', 'A'.repeat(64), 'a'.repeat(63), `${'a'.repeat(63)}/`]) {
        expect(await store.has(name)).toBe(false);
        expect(await store.size(name)).toBeUndefined();
        expect(await store.get(name)).toBeUndefined();
        await store.delete(name);
        await expect(store.put(Buffer.from('x'), name)).rejects.toMatchObject({ code: 'blob_hash_mismatch' });
      }
    });
  });
}
