import { useEffect, useState } from 'react';
import { useStatus } from '../api/use-status.ts';
import { AddSource } from '../streams/add-source.tsx';
import { StreamsPage } from '../streams/streams-page.tsx';
import { Header } from './header.tsx';
import { Login } from './login.tsx';
import { Shortcuts } from './shortcuts.tsx';
import { ToastProvider } from './toasts.tsx';

type Open = 'add' | 'shortcuts' | 'sign-in' | null;

const typing = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

export function App() {
  const live = useStatus();
  const [open, setOpen] = useState<Open>(null);
  const [visit, setVisit] = useState(0);

  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (event.metaKey || event.ctrlKey || event.altKey || typing(event.target)) return;
      if (document.querySelector('dialog[open]')) return;
      if (event.key === '?') setOpen('shortcuts');
      else if (event.key === 'n') setOpen('add');
      else return;
      event.preventDefault();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, []);

  /** Somebody else is there: everything is asked for anew. */
  const changed = (): void => {
    setOpen(null);
    setVisit((count) => count + 1);
    live.retry();
  };
  if (live.connection === 'signed-out') return <Login onDone={changed} />;
  if (open === 'sign-in') return <Login onDone={changed} onCancel={() => setOpen(null)} />;
  return (
    <ToastProvider key={visit}>
      <Header
        live={live}
        onShortcuts={() => setOpen('shortcuts')}
        onAdd={() => setOpen('add')}
        onAccount={(to) => (to === 'sign-in' ? setOpen('sign-in') : changed())}
      />
      {live.connection === 'confined' ? (
        <Confined />
      ) : (
        <StreamsPage live={live} onAdd={() => setOpen('add')} />
      )}
      {open === 'add' && <AddSource onClose={() => setOpen(null)} />}
      {open === 'shortcuts' && <Shortcuts onClose={() => setOpen(null)} />}
    </ToastProvider>
  );
}

const Confined = () => (
  <main id="main" className="page">
    <section className="panel empty">
      <h1>You are signed in</h1>
      <p className="muted">
        Streams shows rows of all tenants and is for operators of the hub. Your account sees its own tenant,
        through the apps.
      </p>
    </section>
  </main>
);
