export { type ConfigKey, configKeys, envName } from './keys.ts';
export { type LoadOptions, loadConfig, solyxHome } from './load.ts';
export { nearest } from './nearest.ts';
export { printConfig } from './print.ts';
export { type Config, configSchema } from './schema.ts';
