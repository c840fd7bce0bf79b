import type { Secret as WireSecret } from '../../api/secrets.ts';
import type { Secret } from '../../storage/secrets.ts';
import { goTime } from './time.ts';

export function secretToWire(secret: Secret): WireSecret {
  return {
    ID: secret.id,
    Version: { Index: secret.version },
    CreatedAt: goTime(secret.createdMs),
    UpdatedAt: goTime(secret.updatedMs),
    Spec: { Name: secret.name, Labels: secret.labels },
  };
}
