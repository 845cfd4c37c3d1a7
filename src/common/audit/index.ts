export { type ChainedEntry, canonicalJson, chainHash, zeroHash } from './canonical.ts';
export { type AuditRecord, recordAudit } from './record.ts';
export { readHead, sealHeads, signHead } from './seals.ts';
export { type Head, isSignatureRight, type SignedHead } from './signature.ts';
export { ChainCheck, type Fault, type FaultKind, type LinkedEntry } from './verify.ts';
