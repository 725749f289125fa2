import { memo, useId } from 'react';

export interface SparklineProps {
  readonly values: readonly (number | null)[];
  /** Moment of each value (ms); absent = evenly spaced. */
  readonly times?: readonly number[];
  readonly width?: number;
  readonly height?: number;
  readonly tone?: 'accent' | 'good' | 'warn' | 'bad';
  /** Said to those who do not see it. */
  readonly label: string;
  readonly area?: boolean;
  /** What the width stands for: points, or seconds when `times` are given. A young series grows from the right. */
  readonly span?: number;
}

/** A line over time, newest right, scaled to its own maximum. Gaps in the data are gaps in the line. */
export const Sparkline = memo(function Sparkline(props: SparklineProps) {
  const { values, times, width = 240, height = 44, tone = 'accent', label, area = true, span = 60 } = props;
  const gradient = useId();
  const known = values.filter((value) => value !== null);
  const top = Math.max(...known, 0) * 1.12 || 1;
  const slots = Math.max(values.length, span);
  const newest = times?.at(-1) ?? 0;
  const x = (index: number): number =>
    times
      ? width * (1 - (newest - times[index]!) / (span * 1000))
      : ((slots - values.length + index) / (slots - 1)) * width;
  const y = (value: number): number => height - 5 - (value / top) * (height - 7);
  const runs: [number, number][][] = [];
  let run: [number, number][] = [];
  values.forEach((value, index) => {
    if (value === null) {
      if (run.length) runs.push(run);
      run = [];
    } else run.push([x(index), y(value)]);
  });
  if (run.length) runs.push(run);
  const line = (points: [number, number][]): string =>
    points.map(([px, py], index) => `${index ? 'L' : 'M'}${px.toFixed(1)} ${py.toFixed(1)}`).join('');
  return (
    <svg
      className={`spark spark--${tone}`}
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <defs>
        <linearGradient id={gradient} x1="0" x2="0" y1="0" y2="1">
          <stop offset="0" stopColor="currentColor" stopOpacity="0.22" />
          <stop offset="1" stopColor="currentColor" stopOpacity="0" />
        </linearGradient>
      </defs>
      {runs.map((points) => (
        <g key={points[0]![0]}>
          {area && points.length > 1 && (
            <path
              d={`${line(points)}L${points.at(-1)![0].toFixed(1)} ${height}L${points[0]![0].toFixed(1)} ${height}Z`}
              fill={`url(#${gradient})`}
            />
          )}
          <path d={line(points)} className="spark__line" />
        </g>
      ))}
    </svg>
  );
});
