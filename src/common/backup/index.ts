export { type BackupCounts, type BackupHeader, type BackupOptions, backup } from './backup.ts';
export { type Restored, type RestoreOptions, readHeader, restore } from './restore.ts';
