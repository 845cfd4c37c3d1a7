/**
 * Signed heads: what the chain alone cannot prove.
 *
 * A chain shows that an entry was changed, unless whoever changed it computed everything behind it anew, or cut the end off; and the
 * owner of the database can do both. So the server signs the head of each log twice a minute where it grew, by a key that the
 * database holds only sealed. A chain that was computed anew disagrees with the seals behind the change, and nobody can make others.
 * What is left: the owner of the database can delete the seals too, together with the end of the log or before computing it anew.
 * No record in the same database can prove against that; a head kept elsewhere does: `solyx audit verify --anchor FILE` keeps one,
 * and each seal is in the server's log. The newest half minute is not sealed yet.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { type Database, type Tx, withSystem } from '../database/index.ts';
import { SolyxError } from '../errors/index.ts';
import { seal, unseal } from '../secrets/envelope.ts';
import type { SecretStore } from '../secrets/index.ts';
import { type Head, type SignedHead, textOf } from './signature.ts';

/** Owner of the data key that seals the signing key. */
const owner = 'system';
const mostAtOnce = 500;

/** Signs a head. @throws secrets_key_missing */
export async function signHead(tx: Tx, store: SecretStore, head: Head): Promise<SignedHead> {
  const { key, publicKey } = await signingKey(tx, store);
  return {
    ...head,
    signature: sign(null, textOf(head), key).toString('base64'),
    publicKey: publicKey.toString('base64'),
  };
}

/** The head of a tenant's log as it is now; sequence 0 when nothing was recorded yet. */
export async function readHead(tx: Tx, tenant: string, now: Date): Promise<Head> {
  const { rows } = await tx.query<{ sequence: bigint; hash: Buffer }>(
    'select sequence, hash from audit_heads where tenant = $1',
    [tenant],
  );
  const row = rows[0];
  return {
    tenant,
    sequence: Number(row?.sequence ?? 0n),
    hash: row?.hash.toString('hex') ?? '0'.repeat(64),
    at: now.toISOString(),
  };
}

/**
 * Seals the heads that grew since their last seal.
 * @returns the new seals, for the server's log; at most 500 a call
 * @throws secrets_key_missing
 */
export function sealHeads(db: Database, store: SecretStore, now: Date): Promise<SignedHead[]> {
  return withSystem(
    db,
    async (tx) => {
      const { rows } = await tx.query<{ tenant: string; sequence: bigint; hash: Buffer }>(
        `select h.tenant, h.sequence, h.hash from audit_heads h
         where h.sequence > 0 and not exists (select from audit_seals s where s.tenant = h.tenant and s.sequence = h.sequence)
         order by h.tenant limit $1`,
        [mostAtOnce],
      );
      const signed: SignedHead[] = [];
      for (const { tenant, sequence, hash } of rows) {
        const head = { tenant, sequence: Number(sequence), hash: hash.toString('hex'), at: now.toISOString() };
        signed.push(await signHead(tx, store, head));
      }
      if (signed.length === 0) return signed;
      await tx.query(
        `insert into audit_seals (tenant, sequence, hash, at, public_key, signature)
         select * from unnest($1::text[], $2::bigint[], $3::bytea[], $4::timestamptz[], $5::bytea[], $6::bytea[])
         on conflict (tenant, sequence) do nothing`,
        [
          signed.map(({ tenant }) => tenant),
          signed.map(({ sequence }) => sequence),
          signed.map(({ hash }) => Buffer.from(hash, 'hex')),
          signed.map(({ at }) => at),
          signed.map(({ publicKey }) => Buffer.from(publicKey, 'base64')),
          signed.map(({ signature }) => Buffer.from(signature, 'base64')),
        ],
      );
      return signed;
    },
    { idempotent: true },
  );
}

const opened = new WeakMap<SecretStore, Map<string, KeyObject>>();

/** The key of this installation, made at its first use. */
async function signingKey(tx: Tx, store: SecretStore): Promise<{ key: KeyObject; publicKey: Buffer }> {
  const find = async () => {
    const { rows } = await tx.query<{ public_key: Buffer; sealed: Buffer }>(
      'select public_key, sealed from audit_signing_keys where active',
    );
    return rows[0];
  };
  let row = await find();
  if (!row) {
    const dataKey = await store.keys.ensure(tx, owner);
    const pair = generateKeyPairSync('ed25519');
    const publicKey = pair.publicKey.export({ type: 'spki', format: 'der' });
    const secret = pair.privateKey.export({ type: 'pkcs8', format: 'der' });
    await tx.query(
      'insert into audit_signing_keys (public_key, sealed) values ($1, $2) on conflict (active) where active do nothing',
      [publicKey, seal(dataKey.key, secret, placeOf(publicKey))],
    );
    row = (await find())!;
  }
  const known = opened.get(store) ?? new Map<string, KeyObject>();
  opened.set(store, known);
  const name = row.public_key.toString('base64');
  let key = known.get(name);
  if (!key) {
    const dataKey = await store.keys.ensure(tx, owner);
    const der = unseal(dataKey.key, row.sealed, placeOf(row.public_key));
    if (!der) throw new SolyxError('secrets_key_missing', 'The key that signs the audit log does not open.');
    key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    known.set(name, key);
  }
  return { key, publicKey: row.public_key };
}

const placeOf = (publicKey: Buffer) => ['solyx-audit-signing-key-1', publicKey.toString('hex')];
