/**
 * Sites on a map of the world. Its table twin (sites-table.tsx) says the same to those who cannot see or point.
 *
 * The outlines come with the page (110 m, 41 KiB compressed) and are a chunk of their own, loaded when a site has coordinates.
 */
import { useNavigate } from '@tanstack/react-router';
import { geoNaturalEarth1, geoPath } from 'd3-geo';
import type { MultiPoint } from 'geojson';
import { useMemo } from 'react';
import { feature } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import land from 'world-atlas/land-110m.json';
import type { Site } from '../../../../src/common/contract/live.ts';
import { formatNumber } from '../../ui/format.ts';
import classes from './fleet.module.css';
import { allocatedRatio, type Totals } from './fleet.ts';

const size = { width: 900, height: 400 };
/** What is drawn, degrees north: nobody has a site at the poles. */
const latitudes = { south: -57, north: 80 };

interface SiteMapProps {
  readonly sites: readonly { readonly site: Site; readonly totals: Totals }[];
}

export default function SiteMap({ sites }: SiteMapProps) {
  const navigate = useNavigate();
  const { project, outline } = useMemo(() => {
    const topology = land as unknown as Topology<{ land: GeometryCollection }>;
    const corners: MultiPoint = {
      type: 'MultiPoint',
      coordinates: [-180, 180].flatMap((east) => [
        [east, latitudes.south],
        [east, latitudes.north],
        [east, 0],
      ]),
    };
    const projection = geoNaturalEarth1().fitSize([size.width, size.height], corners);
    return { project: projection, outline: geoPath(projection)(feature(topology, topology.objects.land)) ?? '' };
  }, []);
  const placed = sites.flatMap(({ site, totals }) => {
    const at = site.longitude === null || site.latitude === null ? null : project([site.longitude, site.latitude]);
    return at === null ? [] : [{ site, totals, at }];
  });
  return (
    <div className={classes.ramped}>
      {/* biome-ignore lint/a11y/useSemanticElements: a map is drawn; its sites are links within */}
      <svg
        className={classes.map}
        viewBox={`0 0 ${size.width} ${size.height}`}
        role="group"
        aria-label="Map of the sites"
      >
        <path className={classes.land} d={outline} />
        {placed.map(({ site, totals, at: [x, y] }) => {
          const ratio = allocatedRatio(totals);
          const words = ratio === null ? 'no capacity' : `${Math.round(ratio * 100)} % allocated`;
          const open = () => void navigate({ to: '/fleet/$', params: { _splat: site.id } });
          return (
            // biome-ignore lint/a11y/useSemanticElements: an SVG has no button
            <g
              key={site.id}
              className={classes.site}
              role="link"
              tabIndex={0}
              aria-label={`${site.name}: ${totals.nodes} nodes, ${words}`}
              onClick={open}
              onKeyDown={(event) => (event.key === 'Enter' || event.key === ' ') && open()}
              transform={`translate(${x} ${y})`}
            >
              <title>{`${site.name}: ${formatNumber(totals.nodes)} nodes, ${formatNumber(totals.devices)} devices, ${words}`}</title>
              <circle
                r={radiusOf(totals)}
                style={{ fill: `var(--load-${Math.round((ratio ?? 0) * 10)})`, stroke: 'var(--accent)' }}
              />
              <text x={radiusOf(totals) + 4} y={4}>
                {site.name}
              </text>
            </g>
          );
        })}
      </svg>
      {placed.length < sites.length && (
        <p className={classes.note}>
          Without coordinates, and so only in the table: {sites.length - placed.length} of {sites.length} sites.
        </p>
      )}
    </div>
  );
}

/** By area, so that twice the devices look twice as much. */
const radiusOf = ({ devices, nodes }: Totals): number => Math.min(28, 6 + Math.sqrt(devices || nodes));
