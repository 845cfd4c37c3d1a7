export { solyxHome } from './home.ts';
export { claimHome, type HomeMode, homeMode } from './home-mode.ts';
export { type ConfigKey, configKeys, envName } from './keys.ts';
export { type LoadOptions, loadConfig } from './load.ts';
export { nearest } from './nearest.ts';
export { configValues, printConfig } from './print.ts';
export { type Config, configSchema } from './schema.ts';
