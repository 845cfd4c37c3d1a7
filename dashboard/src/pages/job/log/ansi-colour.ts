/**
 * Colours of a log line as they are drawn: the job chooses the hue, we keep it legible.
 *
 * A job does not know whether it is read on white or on black, and yellow on white is not read at all. So a colour is
 * moved towards black or white until its contrast to what is behind it is 4.5 : 1 (WCAG 2.2, 1.4.3), and not further.
 */
import type { AnsiColour, AnsiStyle } from './ansi.ts';

export interface Rgb {
  readonly r: number;
  readonly g: number;
  readonly b: number;
}

export type Scheme = 'light' | 'dark';

/** Least contrast of text to its background. */
export const leastContrast = 4.5;

const palette: readonly Rgb[] = (
  [
    [40, 42, 46],
    [197, 48, 48],
    [47, 125, 50],
    [161, 98, 7],
    [37, 99, 193],
    [147, 51, 157],
    [13, 118, 128],
    [160, 165, 170],
    [110, 116, 122],
    [239, 83, 80],
    [102, 187, 106],
    [251, 192, 45],
    [100, 160, 246],
    [206, 122, 216],
    [77, 198, 208],
    [245, 246, 247],
  ] as const
).map(([r, g, b]) => ({ r, g, b }));

/** Background of the log in each scheme: `--surface-raised` of tokens.css, with `--text` on it. */
export const surface: Readonly<Record<Scheme, Rgb>> = {
  light: { r: 255, g: 255, b: 255 },
  dark: { r: 27, g: 31, b: 35 },
};
const ink: Readonly<Record<Scheme, Rgb>> = { light: { r: 28, g: 33, b: 38 }, dark: { r: 230, g: 233, b: 236 } };
const black: Rgb = { r: 0, g: 0, b: 0 };
const white: Rgb = { r: 255, g: 255, b: 255 };

export interface DrawnColours {
  /** CSS colour; undefined: that of the log. */
  readonly colour: string | undefined;
  readonly background: string | undefined;
}

/** Colours of a style on the log's background. */
export function drawnColours(style: AnsiStyle, scheme: Scheme): DrawnColours {
  const given = {
    front: style.foreground === undefined ? undefined : rgbOf(style.foreground),
    back: style.background === undefined ? undefined : rgbOf(style.background),
  };
  const { front, back } = style.inverse
    ? { front: given.back ?? surface[scheme], back: given.front ?? ink[scheme] }
    : given;
  if (front === undefined && back === undefined) return { colour: undefined, background: undefined };
  const text = legible(front ?? ink[scheme], back ?? surface[scheme]);
  return { colour: cssOf(text), background: back === undefined ? undefined : cssOf(back) };
}

const rgbOf = (colour: AnsiColour): Rgb => (typeof colour === 'number' ? palette[colour]! : colour);
const cssOf = ({ r, g, b }: Rgb): string => `rgb(${r} ${g} ${b})`;

/** The colour, moved towards black or white as far as legibility needs. */
export function legible(colour: Rgb, background: Rgb): Rgb {
  if (contrast(colour, background) >= leastContrast) return colour;
  const target = contrast(black, background) > contrast(white, background) ? black : white;
  for (let step = 1; step < 20; step += 1) {
    const mixed = mix(colour, target, step / 20);
    if (contrast(mixed, background) >= leastContrast) return mixed;
  }
  return target;
}

/** Contrast of two colours, 1–21. */
export function contrast(one: Rgb, other: Rgb): number {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

/** Relative luminance, 0–1. // WCAG 2.2, definition of relative luminance */
function luminance({ r, g, b }: Rgb): number {
  const linear = (channel: number) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
}

const mix = (from: Rgb, to: Rgb, share: number): Rgb => ({
  r: Math.round(from.r + (to.r - from.r) * share),
  g: Math.round(from.g + (to.g - from.g) * share),
  b: Math.round(from.b + (to.b - from.b) * share),
});
