import type { Project, Service } from '../project.ts';

export interface Selection {
  project: Project;
  /** Services that no enabled profile asks for. */
  disabled: Record<string, Service>;
}

/**
 * Keeps the services without profiles and those of enabled ones; `*` enables all.
 * @param named services that were asked for by name: they are enabled whatever their profiles
 */
export function selectProfiles(
  project: Project,
  enabled: readonly string[],
  named: readonly string[] = [],
): Selection {
  // Nothing enabled is the profile without a name.
  const active = enabled.length === 0 ? [''] : enabled;
  const wanted = ([name, { profiles = [] }]: [string, Service]) =>
    profiles.length === 0 ||
    named.includes(name) ||
    active.includes('*') ||
    profiles.some(profile => active.includes(profile));
  const all = Object.entries(project.services);
  return {
    project: { ...project, services: Object.fromEntries(all.filter(wanted)) },
    disabled: Object.fromEntries(all.filter(entry => !wanted(entry))),
  };
}

/** Without the networks, volumes, secrets and configs that no service uses. */
export function withoutUnused(project: Project): Project {
  const services = Object.values(project.services);
  const used = {
    networks: services.flatMap(service => Object.keys(service.networks ?? {})),
    volumes: services.flatMap(({ volumes = [] }) =>
      volumes.flatMap(({ type, source }) => (type === 'volume' && source !== undefined ? [source] : [])),
    ),
    secrets: services.flatMap(({ secrets = [], build }) =>
      [...secrets, ...(build?.secrets ?? [])].map(({ source }) => source),
    ),
    configs: services.flatMap(({ configs = [] }) => configs.map(({ source }) => source)),
    models: services.flatMap(({ models = {} }) => Object.keys(models)),
  };
  const kept: Project = { ...project };
  for (const section of ['networks', 'volumes', 'secrets', 'configs', 'models'] as const) {
    const entries = Object.entries(project[section] ?? {}).filter(([name]) => used[section].includes(name));
    if (entries.length === 0) delete kept[section];
    else Object.assign(kept, { [section]: Object.fromEntries(entries) });
  }
  return kept;
}
