export function fingerprint(root?: string): string;
export function currentBuild(root?: string): string | null;
export function ensureDashboard(root?: string): Promise<string | null>;
