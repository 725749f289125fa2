import type { Tone } from '../format.ts';

const TONES: Readonly<Record<string, Tone | 'busy'>> = {
  streaming: 'good',
  up: 'good',
  running: 'good',
  snapshotting: 'busy',
  connecting: 'busy',
  pending: 'busy',
  starting: 'busy',
  removing: 'busy',
  paused: 'none',
  dropped: 'none',
  unsupported: 'warn',
  silent: 'warn',
  failed: 'bad',
  down: 'bad',
};

const WORDS: Readonly<Record<string, string>> = {
  streaming: 'Streaming',
  snapshotting: 'Snapshot',
  unsupported: 'Not captured',
};

/** A state in words with a coloured dot; the colour is never the only sign. */
export function StateChip({ state, progress = null }: { state: string; progress?: number | null }) {
  const word = WORDS[state] ?? state.charAt(0).toUpperCase() + state.slice(1);
  return (
    <span className={`chip chip--${TONES[state] ?? 'none'}`}>
      <i className="chip__dot" aria-hidden="true" />
      {word}
      {progress !== null && <b className="num">{Math.floor(progress * 100)} %</b>}
    </span>
  );
}
