export { KeyFile } from './key-file.ts';
export { openSecretStore } from './open-store.ts';
export { type Rotation, rotateKey } from './rotation.ts';
export { mostSecretBytes, type SecretRow, type SecretScope, SecretStore } from './secret-store.ts';
