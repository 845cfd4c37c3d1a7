/** Colours of the terminal: the page's surface and text, and sixteen that are read on it; xterm.js keeps the contrast. */
import type { ITheme } from '@xterm/xterm';

const light = {
  black: '#1c2126',
  red: '#b01c27',
  green: '#1a6b2e',
  yellow: '#8a5200',
  blue: '#1558ab',
  magenta: '#6a35a0',
  cyan: '#09655c',
  white: '#57606a',
};
const dark = {
  black: '#68727d',
  red: '#ff8f8a',
  green: '#7bd591',
  yellow: '#e0a23d',
  blue: '#8fc0fa',
  magenta: '#c9a3f0',
  cyan: '#5ad7c8',
  white: '#e6e9ec',
};

/** Reads the page's colours as they are now. */
export function terminalTheme(scheme: 'light' | 'dark'): ITheme {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const palette = scheme === 'dark' ? dark : light;
  const bright = Object.fromEntries(
    Object.entries(palette).map(([name, value]) => [`bright${name[0]!.toUpperCase()}${name.slice(1)}`, value]),
  );
  return {
    background: colour('--surface-raised'),
    foreground: colour('--text'),
    cursor: colour('--accent'),
    cursorAccent: colour('--surface-raised'),
    selectionBackground: colour('--surface-selected'),
    selectionForeground: colour('--text'),
    ...palette,
    ...bright,
  };
}
