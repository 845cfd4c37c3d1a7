/**
 * A curve over time (or steps), drawn by uPlot, with one cursor for all charts of a page and a table that says the same.
 *
 * uPlot draws on a canvas, which says nothing to a screen reader and prints badly: so each chart has a summary and can be
 * switched to its table. Colours are read from tokens.css when drawing, so a change of scheme is one redraw.
 */
import { useEffect, useId, useRef, useState } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useZone } from '../app/time-zone.tsx';
import classes from './chart.module.css';
import { type ChartData, chartRows, formatValue, formatX, seriesLabel, summarize } from './chart-data.ts';
import { chartOptions } from './chart-options.ts';

interface ChartProps extends ChartData {
  readonly title: string;
  /** Height of the canvas, px; default 180. */
  readonly height?: number;
  /** Whether y begins at 0; for amounts. Default true. */
  readonly fromZero?: boolean;
  /** Charts of one key share their cursor; default: all charts of the page over time. */
  readonly cursor?: string;
}

/** Most rows of the table twin. */
const tableRows = 500;

export function Chart(props: ChartProps) {
  const { title, series, x, unit, xUnit } = props;
  const [asTable, setAsTable] = useState(false);
  const heading = useId();
  return (
    <figure className={classes.chart} aria-labelledby={heading}>
      <figcaption className={classes.caption}>
        <span id={heading}>
          {title}
          {unit !== '' && <span className={classes.unit}> ({unit})</span>}
        </span>
        <button type="button" className={classes.toggle} aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
          {asTable ? 'Curve' : 'Table'}
        </button>
      </figcaption>
      {asTable ? <ChartTable {...props} /> : <Curve {...props} />}
      {x.length > 0 && series.length > 0 && !asTable && (
        <span className={classes.spoken}>{summarize(title, { x, series, unit, xUnit })}</span>
      )}
    </figure>
  );
}

function Curve(props: ChartProps) {
  const { x, series, unit, xUnit, height = 180, fromZero = true, cursor = xUnit ?? 'time' } = props;
  const { zone } = useZone();
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [at, setAt] = useState<number | null>(null);
  const labels = series.map(seriesLabel).join('\n');
  const kinds = series.map(({ kind, color }) => `${kind ?? ''}${color ?? ''}`).join('\n');

  // biome-ignore lint/correctness/useExhaustiveDependencies: the data follows below; only another shape makes a new plot
  useEffect(() => {
    const element = host.current!;
    const width = Math.max(120, element.clientWidth);
    const options = chartOptions({ series, unit, xUnit, zone, fromZero, cursor, width, height, onCursor: setAt });
    const made = new uPlot(
      options,
      [x as number[], ...series.map(({ values }) => values as (number | null)[])],
      element,
    );
    plot.current = made;
    const resize = new ResizeObserver(() => made.setSize({ width: Math.max(120, element.clientWidth), height }));
    resize.observe(element);
    const scheme = new MutationObserver(() => made.redraw(false, true));
    scheme.observe(document.documentElement, { attributeFilter: ['data-mantine-color-scheme', 'data-contrast'] });
    return () => {
      resize.disconnect();
      scheme.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [labels, kinds, unit, xUnit, zone, fromZero, cursor, height]);
  useEffect(() => {
    plot.current?.setData([x as number[], ...series.map(({ values }) => values as (number | null)[])]);
  }, [x, series]);

  const index = at ?? x.length - 1;
  return (
    <>
      <div ref={host} className={classes.canvas} style={{ height }} aria-hidden="true" />
      <div className={classes.legend} aria-hidden="true">
        <span className={classes.when}>
          {x[index] === undefined ? '' : `${xUnit === undefined ? '' : `${xUnit} `}${formatX(x[index], xUnit, zone)}`}
        </span>
        {series.map((one, place) => (
          <span key={one.label} className={classes.entry}>
            <i
              className={classes.swatch}
              data-kind={one.kind ?? 'measured'}
              style={{ '--swatch': `var(--chart-${one.color ?? (place % 6) + 1})` } as React.CSSProperties}
            />
            {seriesLabel(one)} <b className="tabular">{formatValue(one.values[index], unit)}</b>
          </span>
        ))}
      </div>
    </>
  );
}

function ChartTable({ title, x, series, unit, xUnit, height = 180 }: ChartProps) {
  const { zone } = useZone();
  const rows = chartRows({ x, series, unit, xUnit }, tableRows);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className={classes.table} style={{ maxHeight: height + 40 }} aria-label={title} tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">{xUnit ?? 'Time'}</th>
            {series.map((one) => (
              <th key={one.label} scope="col">
                {seriesLabel(one)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.x}>
              <th scope="row">{formatX(row.x, xUnit, zone)}</th>
              {row.values.map((value, index) => (
                <td key={series[index]!.label} title={value === null ? undefined : `${value} ${unit}`}>
                  {formatValue(value, unit)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length < x.length && (
        <p className={classes.note}>
          {rows.length} of {x.length} points, evenly taken.
        </p>
      )}
    </section>
  );
}
