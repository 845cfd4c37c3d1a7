/** A line chart as SVG text: time on x, from zero on y, gaps drawn as gaps. Colours and fonts come from the page. */

export interface Line {
  readonly name: string;
  /** Which of the page's line colours, 1 or 2. */
  readonly colour: 1 | 2;
  readonly isDashed?: boolean;
  /** One value a bin; null is a gap. */
  readonly values: readonly (number | null)[];
}

export interface Chart {
  readonly title: string;
  readonly lines: readonly Line[];
  /** Of all bins together, seconds. */
  readonly seconds: number;
  /** Top of the y axis; left out: the largest value. */
  readonly top?: number;
  readonly format: (value: number) => string;
  /** Values are seconds: ticks stand at whole minutes, hours or days. */
  readonly isTime?: boolean;
}

const size = { width: 720, height: 220, left: 64, right: 12, top: 10, bottom: 26 };
const inner = { width: size.width - size.left - size.right, height: size.height - size.top - size.bottom };

export const escapeText = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** A tick step of 1, 2 or 5 × a power of ten, for about `count` ticks. */
export function stepOf(range: number, count: number): number {
  const rough = Math.max(range, 1e-12) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const digit = rough / power;
  return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}

function stepOfY(largest: number, isTime: boolean): number {
  const unit = !isTime || largest < 240 ? 1 : largest < 14_400 ? 60 : largest < 345_600 ? 3600 : 86_400;
  return unit * (unit === 1 ? stepOf(largest, 4) : Math.max(1, stepOf(largest / unit, 4)));
}

/** Ticks of time: whole hours or days once there are some of them, seconds below. */
export function timeTicks(seconds: number): { readonly at: number; readonly label: string }[] {
  const [unit, name] =
    seconds > 3 * 86_400 ? [86_400, 'd'] : seconds > 3 * 3600 ? [3600, 'h'] : seconds > 180 ? [60, 'min'] : [1, 's'];
  const step = Math.max(1, stepOf(seconds / unit, 8));
  return Array.from({ length: Math.floor(seconds / unit / step) + 1 }, (_, i) => ({
    at: i * step * unit,
    label: `${i * step} ${name}`,
  }));
}

/** The part of a drawing that time runs over. */
export interface Frame {
  readonly left: number;
  readonly width: number;
}

const frame: Frame = { left: size.left, width: inner.width };

/** @param share of the time that is drawn, 0..1 */
export const xAt = (share: number, { left, width } = frame): number => left + share * width;

export function timeAxis(seconds: number, height: number, within = frame): string {
  const ticks = timeTicks(seconds).map(({ at, label }) => {
    const x = xAt(at / Math.max(seconds, 1), within).toFixed(1);
    return `<line class="tick" x1="${x}" x2="${x}" y1="${height}" y2="${height + 4}"/><text x="${x}" y="${height + 16}" text-anchor="middle">${label}</text>`;
  });
  return ticks.join('');
}

export function drawChart({ title, lines, seconds, top, format, isTime = false }: Chart): string {
  const values = lines.flatMap((line) => line.values.filter((value) => value !== null));
  const largest = values.reduce((most, value) => Math.max(most, value), 0);
  const step = top === undefined ? stepOfY(largest || 1, isTime) : top / 4;
  const high = top ?? Math.max(step, Math.ceil(largest / step - 1e-9) * step);
  const yAt = (value: number) => size.top + inner.height * (1 - Math.min(value, high) / high);
  const grid = Array.from({ length: Math.round(high / step) + 1 }, (_, i) => {
    const y = yAt(i * step).toFixed(1);
    return `<line class="grid" x1="${size.left}" x2="${size.width - size.right}" y1="${y}" y2="${y}"/><text x="${size.left - 6}" y="${Number(y) + 4}" text-anchor="end">${escapeText(format(i * step))}</text>`;
  });
  const paths = lines.map((line) => {
    const dash = line.isDashed ? ' stroke-dasharray="5 4"' : '';
    return `<path class="line line${line.colour}"${dash} d="${pathOf(line.values, yAt)}"><title>${escapeText(line.name)}</title></path>`;
  });
  const legend = lines.length < 2 ? '' : `<p class="legend">${lines.map(legendOf).join('')}</p>`;
  return `<figure><figcaption>${escapeText(title)}</figcaption>${legend}<svg viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${escapeText(title)}">${grid.join('')}${paths.join('')}${timeAxis(seconds, size.height - size.bottom)}</svg></figure>`;
}

const legendOf = ({ name, colour, isDashed }: Line): string =>
  `<span class="key"><svg width="22" height="8" aria-hidden="true"><line class="line line${colour}" x1="0" x2="22" y1="4" y2="4"${isDashed ? ' stroke-dasharray="5 4"' : ''}/></svg>${escapeText(name)}</span>`;

function pathOf(values: readonly (number | null)[], yAt: (value: number) => number): string {
  let path = '';
  let isOpen = false;
  for (const [bin, value] of values.entries()) {
    if (value === null) {
      isOpen = false;
      continue;
    }
    const x = xAt((bin + 0.5) / values.length).toFixed(1);
    const y = yAt(value).toFixed(1);
    // A single value between two gaps would be invisible as a line without length.
    path += isOpen ? `L${x} ${y}` : `M${x} ${y}h.01`;
    isOpen = true;
  }
  return path;
}
