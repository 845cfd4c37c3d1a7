/** A node's three independent fields (contracts §1); never one mixed word. */
export const nodePresences = ['joining', 'ready', 'lost', 'removed'] as const;
export type NodePresence = (typeof nodePresences)[number];

export const nodeSchedulings = ['open', 'cordoned', 'draining'] as const;
export type NodeScheduling = (typeof nodeSchedulings)[number];

export const nodeHealths = ['ok', 'degraded'] as const;
export type NodeHealth = (typeof nodeHealths)[number];

/** Isolation levels, weakest first; a job names the least that it accepts. */
export const isolationLevels = ['process', 'sandbox', 'container', 'vm', 'node'] as const;
export type IsolationLevel = (typeof isolationLevels)[number];
