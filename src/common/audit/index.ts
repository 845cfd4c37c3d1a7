export { type ChainedEntry, canonicalJson, chainHash, zeroHash } from './canonical.ts';
export { type AuditRecord, recordAudit } from './record.ts';
