-- By which certificate (PEM) the holder of a channel is known to a server that hands the channel on; null where it speaks plain HTTP.
-- Servers reach each other by addresses that no certificate names, so they trust what is written here instead of names.
alter table metapod_channels add holder_certificate text;
