/** Bytes in: working-directory bundles by their hash. Putting them proves that one has them, and makes them one's own. */
import type { Readable } from 'node:stream';
import { holdBlobs, ownBlobs } from '../../common/blobs/index.ts';
import { withTenant } from '../../common/database/index.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { blobLimitBytes, type Handlers } from '../../common/http/index.ts';
import type { ApiDeps } from './deps.ts';

export function blobHandlers({ db, blobs, bundleBytes }: ApiDeps): Handlers<'putBlob' | 'headBlob'> {
  return {
    putBlob: async ({ principal, params, request }) => {
      const content = (request.body as Readable | undefined) ?? new Uint8Array();
      const sizeBytes = await blobs.put(content, params.sha256, { maxBytes: Math.min(bundleBytes, blobLimitBytes) });
      const { id } = principal.tenant;
      await withTenant(db, id, (tx) => ownBlobs(tx, id, [{ hash: params.sha256, sizeBytes }]), { idempotent: true });
      return { sha256: params.sha256, sizeBytes };
    },

    headBlob: async ({ principal, params }) => {
      const { id } = principal.tenant;
      const missing = await withTenant(db, id, (tx) => holdBlobs(tx, id, [params.sha256]), {
        idempotent: true,
      });
      if (missing.length > 0) throw new SolyxError('not_found');
      return undefined;
    },
  };
}
