import { useState } from 'react';
import type { Connection, LiveStatus } from '../api/use-status.ts';
import { duration, text } from '../format.ts';
import { Icon } from '../ui/icon.tsx';
import { Account } from './account.tsx';
import { applyTheme, currentTheme } from './theme.ts';

const WORDS: Readonly<Record<Connection, string>> = {
  connecting: 'Connecting',
  live: 'Live',
  lost: 'Reconnecting',
  'signed-out': 'Signed out',
  confined: 'Signed in',
};

interface HeaderProps {
  readonly live: LiveStatus;
  readonly onAdd: () => void;
  readonly onShortcuts: () => void;
  readonly onAccount: (to: 'signed-out' | 'sign-in') => void;
}

export function Header({ live, onAdd, onShortcuts, onAccount }: HeaderProps) {
  const [theme, setTheme] = useState(currentTheme);
  const other = theme === 'dark' ? 'light' : 'dark';
  const toggle = (): void => {
    applyTheme(other);
    setTheme(other);
  };
  const hub = live.status?.hub;
  return (
    <header className="bar">
      <a className="skip" href="#main">
        Skip to content
      </a>
      <div className="bar__inner">
        <a className="brand" href="/" aria-label="BAC Hub, Streams">
          <svg width="26" height="26" viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="8" />
            <path d="M7 11c4 0 4 3 9 3s5-3 9-3M7 16c4 0 4 3 9 3s5-3 9-3M7 21c4 0 4 3 9 3s5-3 9-3" />
          </svg>
          <span>BAC Hub</span>
        </a>
        <nav className="tabs" aria-label="Pages">
          <a href="/" aria-current="page">
            Streams
          </a>
        </nav>
        <div className="bar__side">
          <span
            className={`live live--${live.connection}`}
            role="status"
            title={hub ? `Version ${hub.version}, up ${text(duration(hub.uptimeMs))}` : undefined}
          >
            <i aria-hidden="true" />
            {WORDS[live.connection]}
          </span>
          {live.session && <Account session={live.session} onChange={onAccount} />}
          <button
            type="button"
            className="button button--icon hide-narrow"
            aria-label="Keyboard shortcuts"
            title="Keyboard shortcuts (?)"
            onClick={onShortcuts}
          >
            <Icon name="keyboard" />
          </button>
          <button
            type="button"
            className="button button--icon"
            aria-label={`Switch to ${other} theme`}
            title={`Switch to ${other} theme`}
            onClick={toggle}
          >
            <Icon name={theme === 'dark' ? 'sun' : 'moon'} />
          </button>
          {live.connection !== 'confined' && (
            <button
              type="button"
              className="button button--primary"
              aria-label="Add source"
              onClick={onAdd}
              title="Add a source (n)"
            >
              <Icon name="plus" />
              <span className="button__text">Add source</span>
            </button>
          )}
        </div>
      </div>
    </header>
  );
}
